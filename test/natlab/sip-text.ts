/**
 * SIP messages as the lab's programs trace them and as its captures hold them: text with lines ended by LF.
 */

/** All values of a header field, topmost first; written in its long form. */
export function valuesOf(message: string, name: string): readonly string[] {
  const prefix = `${name.toLowerCase()}:`;
  return message
    .split("\n\n", 1)[0]!
    .split("\n")
    .filter((line) => line.toLowerCase().startsWith(prefix))
    .map((line) => line.slice(prefix.length).trim());
}

/** Its method, or that of the request it answers. */
export const methodOf = (message: string): string => valuesOf(message, "CSeq")[0]?.split(" ")[1] ?? "";

/** The header fields that say where a message or a later one goes. */
export const ROUTING_FIELDS = ["Via", "Contact", "Record-Route", "Path", "Route", "Service-Route"] as const;
