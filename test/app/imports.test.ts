/** What another server's files become, and that nothing of them is lost without a word. */
import { describe, expect, test } from "bun:test";
import { importedToml, otherRealms } from "../../src/app/imports/imported.ts";
import { fromKamailio } from "../../src/app/imports/kamailio.ts";
import { fromSiproxd } from "../../src/app/imports/siproxd.ts";
import { ha1 } from "../../src/auth/digest.ts";
import { configOf } from "../support/world.ts";

const KAMAILIO = `#!KAMAILIO
# alias="commented.out"
/* listen=udp:192.0.2.99:5060 */
listen=udp:192.0.2.1:5060 advertise 203.0.113.5:5060
listen=tcp:[2001:db8::1]:5080
listen=tls:192.0.2.1
listen=ws:192.0.2.1:8088
listen=sctp:192.0.2.1:5060
listen=eth0
alias="example.test"
loadmodule "/usr/lib/kamailio/rtpengine.so"
modparam("registrar", "max_expires", 1800)
request_route {
  route(RELAY);
}
route[RELAY] {
}
`;
const SQL = `CREATE TABLE subscriber (id INTEGER);
INSERT INTO \`subscriber\` VALUES (1,'ann','example.test','it''s; (so)','',''),(2,'ben','example.test','','${"ab".repeat(16)}','');
INSERT INTO subscriber (username, domain, password) VALUES ('cy','other.test','x'),('','example.test','y');
`;

describe("B-85 import kamailio", () => {
  const imported = fromKamailio(KAMAILIO, SQL);
  test("addresses, names and times are a configuration that has no mistakes", () => {
    const config = configOf(importedToml(imported, "kamailio.cfg"));
    expect(config.listen).toEqual([
      { transport: "udp", address: "192.0.2.1", port: 5060, advertise: "203.0.113.5:5060" },
      { transport: "tcp", address: "2001:db8::1", port: 5080 },
      { transport: "tls", address: "192.0.2.1", port: 5061 },
      { transport: "ws", address: "192.0.2.1", port: 8088 },
    ]);
    expect(config.domains).toEqual(["example.test", "other.test"]);
    expect(config.registrar.max_expires_s).toBe(1800);
    expect(config.registrar.default_expires_s).toBe(1800);
  });
  test("ARC-25: the certificate of TLS listeners is taken from where it lies; without them there is none", () => {
    const tls =
      'listen=tls:192.0.2.1:5061\nmodparam("tls", "certificate", "/etc/tls/c.pem")\n' +
      '# modparam("tls", "private_key", "/etc/old.pem")\nmodparam("tls", "private_key", "/etc/tls/k.pem")\n';
    const found = fromKamailio(tls, SQL);
    expect(configOf(importedToml(found, "k")).certificate).toEqual([
      { file: "/etc/tls/c.pem", key: "/etc/tls/k.pem" },
    ]);
    expect(found.left.join()).not.toContain("certificate");
    expect(fromKamailio(tls.replace("tls:192", "tcp:192"), SQL).certificates).toEqual([]);
  });
  test("passwords become hashes and do not appear", () => {
    const toml = importedToml(imported, "kamailio.cfg");
    expect(toml).toContain(ha1("MD5", "ann", "example.test", "it's; (so)"));
    expect(toml).toContain("ab".repeat(16));
    expect(toml).not.toContain("(so)");
  });
  test("what was not taken over is told, each thing", () => {
    const left = imported.left.join("\n");
    for (const each of [
      "listen=sctp",
      "the certificate of the TLS listeners",
      "listen=eth0",
      "rtpengine.so",
      "request_route",
      "route[RELAY]",
      "1 rows",
    ])
      expect(left).toContain(each);
    expect(left).not.toContain("commented.out");
    expect(otherRealms(imported.users)).toEqual([
      "user cy@other.test: of another realm than example.test; give it a [[realm]], or sipedge user add",
    ]);
  });
  test("a dbtext file: columns by its first line, escaped colons", () => {
    const dump = "id(int,auto) username(string) domain(string) password(string)\n1:ann:example.test:a\\:b\n";
    expect(fromKamailio("", dump).users).toEqual([
      { name: "ann", realm: "example.test", password: "a:b", ha1: null },
    ]);
  });
  test("hostile text ends in a result, never in an exception", () => {
    for (const text of ["listen=", "listen=udp:", "alias=", "INSERT INTO subscriber VALUES ('", "((((", "\\"])
      expect(() => importedToml(fromKamailio(text, text), "x\ny")).not.toThrow();
  });
});

const SIPROXD = `# siproxd
if_inbound  = eth0
if_outbound = ppp0
host_outbound = 203.0.113.5
sip_listen_port = 5070
rtp_port_low  = 7070
rtp_port_high = 7089
default_expires = 600
daemonize = 1
proxy_auth_realm = my realm
proxy_auth_pwfile = /etc/siproxd_passwd.cfg
outbound_proxy_host = sip.provider.test
some_new_key = 1
`;

describe("B-85 import siproxd", () => {
  const imported = fromSiproxd(SIPROXD, "# users\nalice  wonderland\nbroken\n");
  test("port, the address outside, media ports and times are a configuration without mistakes", () => {
    const config = configOf(importedToml(imported, "siproxd.conf"));
    expect(config.listen.map(({ port, advertise }) => [port, advertise])).toEqual([
      [5070, "203.0.113.5"],
      [5070, "203.0.113.5"],
    ]);
    expect([config.media.port_min, config.media.port_max]).toEqual([7070, 7089]);
    expect(config.registrar.default_expires_s).toBe(600);
    expect(config.auth.realm).toBe("my realm");
    expect(config.user[0]?.ha1).toBe(ha1("MD5", "alice", "my realm", "wonderland"));
  });
  test("what was not taken over is told, with what to do instead; its own process is no loss", () => {
    const left = imported.left.join("\n");
    for (const each of ["if_inbound:", "if_outbound:", "outbound_proxy_host:", "some_new_key", "1 lines"])
      expect(left).toContain(each);
    for (const each of ["daemonize", "sip_listen_port", "proxy_auth_pwfile"])
      expect(left).not.toContain(each);
  });
});
