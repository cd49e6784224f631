import { MemoryForwardStore } from "../../src/location/memory-forwards.ts";
import { CONTRACT_FORWARDS_MAX, forwardsContract } from "./forwards-contract.ts";

forwardsContract("MemoryForwardStore", () => ({
  store: new MemoryForwardStore(CONTRACT_FORWARDS_MAX),
  dispose() {},
}));
