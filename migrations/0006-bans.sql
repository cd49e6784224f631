-- Who is kept out, and until when; `times`: how often, for each ban is longer than the one before.
CREATE TABLE bans (
  source TEXT PRIMARY KEY NOT NULL,
  reason TEXT NOT NULL,
  by TEXT NOT NULL,
  since_ms INTEGER NOT NULL,
  until_ms INTEGER NOT NULL,
  times INTEGER NOT NULL
) STRICT;
