/** Loaded ahead of a measured sipedge: on SIGUSR2 all that nobody holds any more is collected. */
process.on("SIGUSR2", () => Bun.gc(true));
