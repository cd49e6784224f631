/**
 * The status page: a shell without any data, and what the browser needs to fill it from the API. It loads nothing from
 * elsewhere and works without a network around the appliance.
 */
import type { Route } from "../route.ts";
import { scripts } from "./scripts.ts" with { type: "macro" };
import style from "./style.css" with { type: "text" };

const SCRIPTS: Readonly<Record<string, string>> = scripts();

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const ICON =
  "data:image/svg+xml," +
  encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#0b6e4f"/>' +
      '<path d="M3 6h8m-2-2 2 2-2 2M13 10H5m2 2-2-2 2-2" stroke="#fff" stroke-width="1.5" fill="none"/></svg>',
  );

const SHELL = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>sipedge</title>
<link rel="icon" href="${ICON}">
<link rel="stylesheet" href="/page/style.css">
<script type="module" src="/page/main.ts"></script>
<header id="top"><h1><a href="#/">sipedge</a></h1><p id="state" role="status">…</p></header>
<main id="main"><noscript><p>This page needs JavaScript. <code>sipedge status</code> says the same in a terminal.</p></noscript></main>
<footer id="foot"></footer>
</html>
`;

/** Answered to everybody: none of it says anything of this appliance. */
const file = (path: string, summary: string, reply: Route["reply"], type: string): Route => ({
  method: "get",
  body: null,
  path,
  summary,
  query: null,
  answers: {},
  textType: type,
  failures: [],
  open: true,
  reply,
});

const HTML_TYPE = "text/html; charset=utf-8";
const CSS_TYPE = "text/css; charset=utf-8";
const SCRIPT_TYPE = "text/javascript; charset=utf-8";

export const PAGE_ROUTES: readonly Route[] = [
  file("/", "The status page", () => ({ text: SHELL, type: HTML_TYPE, policy: POLICY }), HTML_TYPE),
  file("/page/style.css", "Its style", () => ({ text: style, type: CSS_TYPE }), CSS_TYPE),
  ...Object.entries(SCRIPTS).map(([name, text]) =>
    file(`/page/${name}`, "Its script", () => ({ text, type: SCRIPT_TYPE }), SCRIPT_TYPE),
  ),
];
