/** The machine's own files, read at once: they are small, and asked for at most once a second. */
import { readFileSync, statSync } from "node:fs";
import type { Files } from "./sockets.ts";

export const nodeFiles: Files = {
  stamp(path) {
    try {
      const stat = statSync(path);
      return { modified_ms: stat.mtimeMs, bytes: stat.size, inode: stat.ino };
    } catch {
      return null;
    }
  },
  read(path) {
    try {
      return readFileSync(path, "utf8");
    } catch {
      return null;
    }
  },
};
