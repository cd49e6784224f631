/** Name service from two functions, for tests to which only the outcome of a look-up matters; or a whole one. */
import type { Answer, NameService, Service } from "../../src/dns/records.ts";

export type PromisedNames = NameService | TwoFunctions;

interface TwoFunctions {
  /** Addresses of both families; empty when the name has none. A rejection is a failure of name service. */
  addresses(name: string): Promise<readonly string[]>;
  /** SRV records. */
  services(name: string): Promise<readonly Service[]>;
}

/** There are no NAPTR records in this world. */
export function promisedNames(names: PromisedNames): NameService {
  if ("ask" in names) return names;
  const { addresses, services } = names;
  const answer = async (name: string, type: string): Promise<Answer> => {
    let records: readonly (string | Service)[] = [];
    try {
      if (type === "SRV") records = await services(name);
      else if (type !== "NAPTR")
        records = (await addresses(name)).filter((address) => address.includes(":") === (type === "AAAA"));
    } catch {
      return { kind: "failed", reason: "SERVFAIL" };
    }
    if (records.length === 0) return { kind: "none", exists: true };
    return { kind: "records", records, authentic: false, stale: false };
  };
  return {
    ask(name, type, done) {
      void answer(name, type).then((found) => done(found as Parameters<typeof done>[0]));
    },
  };
}
