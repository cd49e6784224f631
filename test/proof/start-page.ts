/** docs/start.md as commands. */

/** Every line of the page's `sh` blocks, from top to bottom. */
export function shellLines(page: string): string[] {
  return [...page.matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)].flatMap(([, text]) =>
    text!
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== ""),
  );
}

/** The version and target of the executable the page begins with. */
export function executableOf(page: string): { version: string; target: string } | null {
  const [, version, target] = /sipedge-(\d+\.\d+\.\d+)-(linux-[a-z\d-]+)\.xz/.exec(page) ?? [];
  return version === undefined || target === undefined ? null : { version, target };
}
