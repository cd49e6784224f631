/**
 * The names a certificate proves, and whether a domain is among them (RFC 5922 §7). Pure.
 */

/** Longest list of names that is looked at: certificates come from strangers. */
const NAMES_MAX = 200;

/**
 * §7.1: the domains of `sip:` URIs where there are any, else the DNS names; lower case. `subjectAltName` is the text
 * that OpenSSL makes of it, `commonName` counts only where that is missing.
 */
export function sipNames(subjectAltName: string | null, commonName: string | null): readonly string[] {
  if (subjectAltName === null || subjectAltName === "")
    return commonName === null || commonName === "" ? [] : [commonName.toLowerCase()];
  const entries = subjectAltName.split(/,\s*/).slice(0, NAMES_MAX);
  const domains = entries.flatMap((entry) => {
    const domain = /^URI:sip:([^@;?]+)$/i.exec(entry)?.[1];
    return domain === undefined ? [] : [domain.toLowerCase()];
  });
  const others = entries.flatMap((entry) => {
    const name = /^(?:DNS|IP Address):(.+)$/.exec(entry)?.[1];
    return name === undefined ? [] : [name.toLowerCase()];
  });
  if (domains.length === 0) return others;
  return [...domains, ...others.filter((name) => /^[\d.]+$|:/.test(name))]; // an address is no domain
}

/**
 * Whether one of the names is this domain or address. Departs from §7.2: `*.` stands for one label, as everywhere else
 * (RFC 9525 §6.3), because carriers have such certificates.
 */
export function provesName(names: readonly string[], domain: string): boolean {
  const wanted = domain.toLowerCase();
  const dot = wanted.indexOf(".");
  const parent = dot <= 0 || /^[\d.]+$/.test(wanted) ? null : `*${wanted.slice(dot)}`;
  return names.some(
    (name) => name === wanted || (parent !== null && name === parent) || isSameAddress(name, wanted),
  );
}

/** OpenSSL writes IPv6 addresses long. */
function isSameAddress(name: string, wanted: string): boolean {
  return name.includes(":") && wanted.includes(":") && canonical(name) === canonical(wanted);
}

function canonical(address: string): string | null {
  const url = `http://[${address}]/`;
  return URL.canParse(url) ? new URL(url).hostname : null;
}
