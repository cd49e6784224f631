/** Files that root makes for a service which runs as somebody else. */
import { chownSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Gives a file to the owner of its folder, when that is somebody else and we may: an account that root
 * adds before the first start must not leave a database the service cannot open.
 */
export function giveToFolderOwner(path: string): void {
  try {
    const { uid, gid } = statSync(dirname(path));
    if (statSync(path).uid !== uid) chownSync(path, uid, gid);
  } catch {
    // Not root, or a file system without owners: whoever made it keeps it, and opening it tells.
  }
}
