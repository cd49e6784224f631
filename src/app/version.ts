/** What this build is. `SIPEDGE_COMMIT` is filled in when an executable is made. */
import manifest from "../../package.json" with { type: "json" };

declare const SIPEDGE_COMMIT: string | undefined;

export const VERSION: string = manifest.version;
export const COMMIT: string | null = typeof SIPEDGE_COMMIT === "string" ? SIPEDGE_COMMIT : null;
