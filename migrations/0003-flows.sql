-- How a phone is reached: why it counts as behind a NAT, signs of a SIP ALG on its way, and whether it asked
-- to be reached over its own flow only (RFC 5626). Bindings made before are refreshed within the hour.
ALTER TABLE bindings ADD COLUMN outbound INTEGER NOT NULL DEFAULT 0;
ALTER TABLE bindings ADD COLUMN flow_nat TEXT NOT NULL DEFAULT '';
ALTER TABLE bindings ADD COLUMN flow_alg TEXT NOT NULL DEFAULT '';
ALTER TABLE bindings DROP COLUMN flow_sent_by;
