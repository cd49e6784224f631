/**
 * A root folder with nothing in it but an executable of ours and its libc: no shell, no Node.js, no Bun. Needs root.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";

const MOUNTED =
  'mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" /usr/bin/sipedge "$@"';

/** Gives the root the libraries that the executable is linked with, and the folders every system has. */
export function furnish(root: string, executable: string): void {
  const { stdout } = spawnSync("ldd", [executable], { encoding: "utf8" });
  for (const [library] of stdout.matchAll(/\/\S+\.so[.\d]*/g)) {
    mkdirSync(join(root, dirname(library)), { recursive: true });
    copyFileSync(library, join(root, library));
  }
  for (const name of ["etc/sipedge", "proc", "dev", "tmp", "usr/bin", "var/lib"])
    mkdirSync(join(root, name), { recursive: true });
}

/** Its /usr/bin/sipedge, in a mount namespace of its own: the runtime wants /proc and /dev. */
export const inBareRoot = (root: string, ...argv: readonly string[]): string[] => [
  "unshare",
  "--mount",
  "sh",
  "-c",
  MOUNTED,
  root,
  ...argv,
];
