-- What the rules of a token's life need: the ledger, the schedule, refresh tokens, places for upstream calls, notices.

-- unless column realm.valid_from
ALTER TABLE realm ADD COLUMN valid_from integer NOT NULL DEFAULT 0;
-- unless column realm.notice_key
ALTER TABLE realm ADD COLUMN notice_key text NULL;
-- unless column realm.notice_key_sealed_with
ALTER TABLE realm ADD COLUMN notice_key_sealed_with text NULL;

-- unless column secret.valid_from
ALTER TABLE secret ADD COLUMN valid_from integer NOT NULL DEFAULT 0;
-- unless column secret.refresh_version
ALTER TABLE secret ADD COLUMN refresh_version integer NOT NULL DEFAULT 0;

-- unless column token.refresh_token
ALTER TABLE token ADD COLUMN refresh_token text NULL;
-- unless column token.refresh_token_for
ALTER TABLE token ADD COLUMN refresh_token_for integer NULL;
-- unless column token.used_at
ALTER TABLE token ADD COLUMN used_at integer NULL;
-- unless column token.due_at
ALTER TABLE token ADD COLUMN due_at integer NULL;
-- unless column token.day
ALTER TABLE token ADD COLUMN day integer NULL;
-- unless column token.calls
ALTER TABLE token ADD COLUMN calls integer NOT NULL DEFAULT 0;
-- unless column token.forced
ALTER TABLE token ADD COLUMN forced integer NOT NULL DEFAULT 0;
-- unless column token.early_reports
ALTER TABLE token ADD COLUMN early_reports integer NOT NULL DEFAULT 0;
-- unless column token.early_generation
ALTER TABLE token ADD COLUMN early_generation integer NULL;

-- unless index token.token_due
CREATE INDEX token_due ON token (due_at);

-- unless table upstream_place
CREATE TABLE upstream_place (
    realm text NOT NULL,
    place integer NOT NULL,
    holder text NULL,
    held_until integer NOT NULL,
    PRIMARY KEY (realm, place)
);

-- unless table notice
CREATE TABLE notice (
    id integer PRIMARY KEY AUTOINCREMENT,
    realm text NOT NULL,
    `key` text NOT NULL,
    event text NOT NULL,
    generation integer NOT NULL,
    failure text NULL,
    created_at integer NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    next_at integer NOT NULL
);

-- unless index notice.notice_next
CREATE INDEX notice_next ON notice (next_at);
