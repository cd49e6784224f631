#!/usr/bin/env bun
/**
 * What is made from the source: `bun build.ts docs` writes the generated pages, `bun build.ts docs
 * --check` fails when one of them is not up to date.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { openapiText } from "./src/api/openapi.ts";
import { exampleToml } from "./src/config/example.ts";
import { configurationPage } from "./src/config/reference.ts";
import { conformancePage } from "./test/support/conformance.ts";

interface Page {
  /** From the top of the source tree. */
  readonly path: string;
  /** The same text at each call. */
  readonly text: () => string;
}

const PAGES: readonly Page[] = [
  { path: "config/sipedge.toml", text: exampleToml },
  { path: "docs/configuration.md", text: configurationPage },
  { path: "docs/api/openapi.json", text: openapiText },
  { path: "docs/conformance.md", text: conformancePage },
];

/** Each returns the exit code. */
const COMMANDS: Readonly<Record<string, (options: readonly string[]) => number | Promise<number>>> = { docs };

function docs(options: readonly string[]): number {
  const isCheck = options.length === 1 && options[0] === "--check";
  if (options.length > 0 && !isCheck) return usage();
  return isCheck ? checkPages() : writePages();
}

function writePages(): number {
  for (const { path, text } of PAGES) {
    const isCurrent = onDisk(path) === text();
    if (!isCurrent) write(join(import.meta.dir, path), text());
    process.stdout.write(`${path}: ${isCurrent ? "unchanged" : "written"}\n`);
  }
  return 0;
}

function checkPages(): number {
  const stale = PAGES.filter(({ path, text }) => onDisk(path) !== text());
  for (const { path } of stale) process.stderr.write(`${path} is not up to date; run: bun build.ts docs\n`);
  return stale.length === 0 ? 0 : 1;
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** Null: the page is not there. */
function onDisk(path: string): string | null {
  try {
    return readFileSync(join(import.meta.dir, path), "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
    throw error;
  }
}

function usage(): number {
  process.stderr.write("Usage: bun build.ts docs [--check]\n");
  return 2;
}

const [name = "", ...options] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
process.exitCode = command === undefined ? usage() : await command(options);
