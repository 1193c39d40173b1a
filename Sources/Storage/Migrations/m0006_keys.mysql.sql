-- The callers' API keys: digests, and what each lets its holder do.

-- unless table api_key
CREATE TABLE api_key (
    id varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    digest varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    role varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    scope longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    addresses longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    comment longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    expires_at bigint NULL,
    used_at bigint NULL,
    created_at bigint NOT NULL,
    created_by varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- unless index api_key.api_key_created
CREATE INDEX api_key_created ON api_key (created_at);
