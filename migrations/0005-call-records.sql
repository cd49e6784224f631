-- One row for each call attempt that is over; the oldest rows are cleared by count and by age.
CREATE TABLE call_records (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  call_id TEXT NOT NULL,
  started_ms INTEGER NOT NULL,
  rang_ms INTEGER,
  answered_ms INTEGER,
  ended_ms INTEGER NOT NULL,
  from_uri TEXT NOT NULL,
  to_uri TEXT NOT NULL,
  asked_uri TEXT NOT NULL,
  user TEXT,
  source TEXT NOT NULL,
  target TEXT NOT NULL,
  peer TEXT,
  legs INTEGER NOT NULL,
  status INTEGER NOT NULL,
  reason TEXT NOT NULL,
  ended_by TEXT NOT NULL
) STRICT;
