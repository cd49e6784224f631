-- A binding belongs to a user, not to a user under one of the names of the site: the names may change. Of two bindings
-- that were one contact under two names the younger stays.
DROP VIEW registrations;
ALTER TABLE bindings RENAME COLUMN aor TO user;
UPDATE bindings SET user = substr(user, 1, length(rtrim(user, replace(user, '@', ''))) - 1) WHERE instr(user, '@') > 0;
DELETE FROM bindings WHERE id NOT IN (SELECT max(id) FROM bindings GROUP BY user, key);

CREATE VIEW registrations AS
SELECT
  b.user, b.contact, b.q, b.instance, b.reg_id, b.path, b.user_agent, b.flow_id,
  coalesce(r.call_id, b.call_id) AS call_id,
  coalesce(r.cseq, b.cseq) AS cseq,
  coalesce(r.expires_at_ms, b.expires_at_ms) AS expires_at_ms,
  coalesce(r.registered_at_ms, b.registered_at_ms) AS registered_at_ms
FROM bindings AS b
LEFT JOIN (SELECT max(seq) AS newest, binding_id FROM refreshes GROUP BY binding_id) AS n ON n.binding_id = b.id
LEFT JOIN refreshes AS r ON r.seq = n.newest;
