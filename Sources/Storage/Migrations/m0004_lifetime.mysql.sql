-- What the rules of a token's life need: the ledger, the schedule, refresh tokens, places for upstream calls, notices.

-- unless column realm.valid_from
ALTER TABLE realm
    ADD COLUMN valid_from bigint NOT NULL DEFAULT 0,
    ADD COLUMN notice_key longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    ADD COLUMN notice_key_sealed_with varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL;

-- unless column secret.valid_from
ALTER TABLE secret
    ADD COLUMN valid_from bigint NOT NULL DEFAULT 0,
    ADD COLUMN refresh_version bigint NOT NULL DEFAULT 0;

-- unless column token.used_at
ALTER TABLE token
    ADD COLUMN refresh_token longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    ADD COLUMN refresh_token_for bigint NULL,
    ADD COLUMN used_at bigint NULL,
    ADD COLUMN due_at bigint NULL,
    ADD COLUMN day bigint NULL,
    ADD COLUMN calls bigint NOT NULL DEFAULT 0,
    ADD COLUMN forced bigint NOT NULL DEFAULT 0,
    ADD COLUMN early_reports bigint NOT NULL DEFAULT 0,
    ADD COLUMN early_generation bigint NULL;

-- unless index token.token_due
CREATE INDEX token_due ON token (due_at);

-- unless table upstream_place
CREATE TABLE upstream_place (
    realm varchar(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    place bigint NOT NULL,
    holder varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    held_until bigint NOT NULL,
    PRIMARY KEY (realm, place)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- unless table notice
CREATE TABLE notice (
    id bigint NOT NULL AUTO_INCREMENT,
    realm varchar(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    `key` varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    event varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    generation bigint NOT NULL,
    failure longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    created_at bigint NOT NULL,
    attempts bigint NOT NULL DEFAULT 0,
    next_at bigint NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- unless index notice.notice_next
CREATE INDEX notice_next ON notice (next_at);
