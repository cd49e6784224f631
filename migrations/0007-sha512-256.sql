-- RFC 8760 §2.1: the third hash. An account from before has none until its password is set again.
ALTER TABLE users ADD COLUMN ha1_sha512_256 TEXT;
