-- What sealing needs beside the columns that name keys: a key and a version for each value that has none of its own.

-- unless column secret.quarantined_at
ALTER TABLE secret ADD COLUMN quarantined_at integer NULL;

-- unless index secret.secret_sealing
CREATE INDEX secret_sealing ON secret (sealed_with, quarantined_at);

-- unless column token.refresh_token_sealed_with
ALTER TABLE token ADD COLUMN refresh_token_sealed_with text NULL;
-- unless column token.refresh_token_generation
ALTER TABLE token ADD COLUMN refresh_token_generation integer NOT NULL DEFAULT 0;

-- unless column realm.notice_key_version
ALTER TABLE realm ADD COLUMN notice_key_version integer NOT NULL DEFAULT 0;
