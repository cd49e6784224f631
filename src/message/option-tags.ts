/**
 * Option tags in Supported, Require and Proxy-Require (RFC 3261 §19.2).
 */
import type { HeaderId } from "./header-names.ts";
import type { SipMessage } from "./sip-message.ts";

/** Every tag of the header's lines, in lower case; empty ones left out. */
export function optionTags(message: SipMessage, header: HeaderId): readonly string[] {
  if (message.find(header) < 0) return NO_TAGS;
  const tags = message.texts(header).join(",").toLowerCase().split(",");
  return tags.map((tag) => tag.trim()).filter((tag) => tag !== "");
}

const NO_TAGS: readonly string[] = [];

/** `tag` in lower case. */
export function hasOption(message: SipMessage, header: HeaderId, tag: string): boolean {
  return message.find(header) >= 0 && optionTags(message, header).includes(tag);
}
