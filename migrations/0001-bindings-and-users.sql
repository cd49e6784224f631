-- What a contact is, written once per registration. Ids only grow and are never used again.
CREATE TABLE bindings (
  id INTEGER PRIMARY KEY,
  aor TEXT NOT NULL,
  key TEXT NOT NULL,
  contact TEXT NOT NULL,
  params TEXT NOT NULL,
  q INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  registered_at_ms INTEGER NOT NULL,
  call_id TEXT NOT NULL,
  cseq INTEGER NOT NULL,
  instance TEXT,
  reg_id INTEGER,
  path TEXT,
  user_agent TEXT,
  flow_transport TEXT NOT NULL,
  flow_local_address TEXT NOT NULL,
  flow_local_port INTEGER NOT NULL,
  flow_remote_address TEXT NOT NULL,
  flow_remote_port INTEGER NOT NULL,
  flow_sent_by TEXT NOT NULL,
  flow_id TEXT NOT NULL
) STRICT;

-- A refresh that changed nothing else, only ever appended: rows of one commit share a page, where
-- updating them in place would write one page of 4096 bytes each. The newest row of a binding counts.
CREATE TABLE refreshes (
  seq INTEGER PRIMARY KEY,
  binding_id INTEGER NOT NULL,
  expires_at_ms INTEGER NOT NULL,
  registered_at_ms INTEGER NOT NULL,
  call_id TEXT NOT NULL,
  cseq INTEGER NOT NULL
) STRICT;

-- For people and scripts: bindings as they stand. The appliance itself never reads it.
CREATE VIEW registrations AS
SELECT
  b.aor, b.contact, b.q, b.instance, b.reg_id, b.path, b.user_agent, b.flow_id,
  coalesce(r.call_id, b.call_id) AS call_id,
  coalesce(r.cseq, b.cseq) AS cseq,
  coalesce(r.expires_at_ms, b.expires_at_ms) AS expires_at_ms,
  coalesce(r.registered_at_ms, b.registered_at_ms) AS registered_at_ms
FROM bindings AS b
LEFT JOIN (SELECT max(seq) AS newest, binding_id FROM refreshes GROUP BY binding_id) AS n ON n.binding_id = b.id
LEFT JOIN refreshes AS r ON r.seq = n.newest;

-- Digest hashes only (RFC 8760), never a password.
CREATE TABLE users (
  name TEXT PRIMARY KEY NOT NULL,
  realm TEXT NOT NULL,
  ha1_md5 TEXT,
  ha1_sha256 TEXT,
  disabled INTEGER NOT NULL
) STRICT;

-- Scratch space for the store's own trial writes.
CREATE TABLE meta (
  name TEXT PRIMARY KEY NOT NULL,
  value BLOB NOT NULL
) STRICT;
