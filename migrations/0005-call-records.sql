-- One row for each call attempt that is over, as a JSON object: written for every call, read seldom. The oldest rows
-- are cleared by count and by age.
CREATE TABLE call_records (
  seq INTEGER PRIMARY KEY,
  ended_ms INTEGER NOT NULL,
  record TEXT NOT NULL
) STRICT;

-- For people and scripts. The appliance itself never reads it.
CREATE VIEW calls AS
SELECT
  seq,
  record ->> 'id' AS id,
  record ->> 'call_id' AS call_id,
  record ->> 'from' AS from_uri,
  record ->> 'to' AS to_uri,
  record ->> 'user' AS user,
  record ->> 'target' AS target,
  record ->> 'peer' AS peer,
  record ->> 'started_ms' AS started_ms,
  record ->> 'answered_ms' AS answered_ms,
  ended_ms,
  record ->> 'status' AS status,
  record ->> 'reason' AS reason,
  record ->> 'ended_by' AS ended_by
FROM call_records;
