-- Where calls to a user go instead of the phones; NULL for no such rule. A row without any rule says that
-- nothing is forwarded, whatever the config says.
CREATE TABLE forwards (
  user TEXT PRIMARY KEY NOT NULL,
  always TEXT,
  busy TEXT,
  no_answer TEXT,
  not_registered TEXT,
  unreachable TEXT,
  no_answer_after_s INTEGER
) STRICT;
