import { silentLog } from "../../src/base/log.ts";
import { Metrics } from "../../src/base/metrics.ts";
import { MemoryStore } from "../../src/location/memory-store.ts";
import { CONTRACT_BINDINGS_MAX, storeContract } from "./store-contract.ts";

storeContract("MemoryStore", (clock) => {
  const bindings_max = CONTRACT_BINDINGS_MAX;
  const store = new MemoryStore({ clock, log: silentLog, metrics: new Metrics(), bindings_max });
  return { store, dispose: () => store.close() };
});
