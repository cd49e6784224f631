/**
 * Proof: the Debian package, laid out in a bare root folder with nothing but a libc beside it, gives a
 * service that takes a registration. Needs root, for chroot.
 *
 *     bun test ./test/proof/package.proof.ts
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import manifest from "../../package.json" with { type: "json" };
import { freePort } from "../support/edge.ts";
import { isInstalled, missing, Program } from "../support/process.ts";
import { UdpPhone } from "../support/udp-phone.ts";
import { furnish, inBareRoot } from "./bare-root.ts";

setDefaultTimeout(120_000);

const SOURCE = resolve(import.meta.dir, "../..");
const EDGE = "127.0.0.2";
const TARGET = "linux-x64-baseline";
const isPossible =
  process.arch === "x64" &&
  process.getuid?.() === 0 &&
  !missing("the Debian package", "dpkg-deb", "chroot", "unshare");

describe.skipIf(!isPossible)("CNV-11 the Debian package", () => {
  const out = mkdtempSync(join(tmpdir(), "sipedge-deb-"));
  const root = join(out, "root");
  const file = join(out, `sipedge_${manifest.version}_amd64.deb`);

  beforeAll(() => {
    for (const command of ["executables", "packages"]) {
      const argv = ["build.ts", command, "--no-xz", "--out", out, TARGET];
      const { status, stderr } = spawnSync(process.execPath, argv, { cwd: SOURCE, encoding: "utf8" });
      if (status !== 0) throw new Error(`build.ts ${command}: ${stderr}`);
    }
    mkdirSync(root);
    expect(spawnSync("dpkg-deb", ["-x", file, root]).status).toBe(0);
    furnish(root, join(root, "usr/bin/sipedge"));
  });
  afterAll(() => rmSync(out, { recursive: true, force: true }));

  const inside = (...argv: string[]) => inBareRoot(root, ...argv);

  test("says what it is and needs, and its scripts can be read by a shell", () => {
    const { stdout } = spawnSync("dpkg-deb", ["--info", file], { encoding: "utf8" });
    expect(stdout).toContain(`Version: ${manifest.version}\n`);
    expect(stdout).toContain("Architecture: amd64\n");
    expect(stdout).not.toMatch(/@\w+@/);
    for (const script of ["postinst", "prerm", "postrm"])
      expect(spawnSync("sh", ["-n", join(SOURCE, "config/debian", script)]).status).toBe(0);
    expect(spawnSync("sh", ["-n", join(SOURCE, "config/openwrt/files/sipedge.init")]).status).toBe(0);
    expect(statSync(join(root, "usr/bin/sipedge")).mode & 0o7777).toBe(0o755);
  });

  test.skipIf(!isInstalled("systemd-analyze"))("its unit has no mistakes", () => {
    const unit = join(root, "lib/systemd/system/sipedge.service");
    writeFileSync(
      unit,
      readFileSync(unit, "utf8").replaceAll("/usr/bin/sipedge", join(root, "usr/bin/sipedge")),
    );
    const { stderr, status } = spawnSync("systemd-analyze", ["verify", "--man=no", unit], {
      encoding: "utf8",
    });
    expect(stderr.split("\n").filter((line) => line.includes("sipedge.service"))).toEqual([]);
    expect(status).toBe(0);
  });

  test("from the package to a registered phone, in a bare root folder", async () => {
    const config = "/etc/sipedge/sipedge.toml";
    const port = await freePort(EDGE);
    const options = ["--address", EDGE, "--port", `${port}`, "--domain", "example.test"];
    const made = new Program(inside("init", config, ...options, "--user", "201", "--password-stdin"), {
      stdin: "wonderland\n",
    });
    expect([await made.ended(), made.output]).toEqual([0, expect.stringContaining("written")]);
    const second = new Program(inside("user", "add", "202", "--config", config, "--password-stdin"), {
      stdin: "rabbit\n",
    });
    expect([await second.ended(), second.output]).toEqual([0, expect.stringContaining("202 stored")]);
    const path = join(root, config);
    writeFileSync(
      path,
      readFileSync(path, "utf8").replace("port = 8080", `port = ${await freePort("127.0.0.1")}`),
    );
    const served = new Program(inside("serve", "--config", config));
    const phone = await UdpPhone.open("127.0.0.81", [EDGE, port]);
    try {
      await served.says(/ ready /);
      expect(await phone.register("201", "wonderland", "example.test")).toStartWith("SIP/2.0 200 ");
      for (const command of ["status", "doctor"]) {
        const asked = new Program(inside(command, "--config", config));
        expect([await asked.ended(), asked.output]).toEqual([0, expect.stringMatching(/201@|takes calls/)]);
      }
    } finally {
      phone.close();
      expect(await served.stop()).toBe(0);
    }
    expect(statSync(join(root, "var/lib/sipedge/sipedge.db")).mode & 0o777).toBe(0o600);
  });
});
