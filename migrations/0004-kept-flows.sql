-- UDP flows that pings keep open for a call or a subscription; those of registrations are known by the binding.
CREATE TABLE kept_flows (
  condition TEXT NOT NULL,
  key TEXT NOT NULL,
  flow_id TEXT NOT NULL,
  local_address TEXT NOT NULL,
  local_port INTEGER NOT NULL,
  remote_address TEXT NOT NULL,
  remote_port INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  PRIMARY KEY (condition, key, flow_id)
) STRICT, WITHOUT ROWID;
