-- The tables of a new installation. Where the predecessor's `realm` and `secret` exist, m0002 turns them into these.
-- Names are compared byte by byte; instants are epoch milliseconds in UTC by the database's clock.

-- unless table realm
CREATE TABLE realm (
    id varchar(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    config longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    logic_code longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    comment longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    policy longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    recipe_version bigint NOT NULL,
    revision bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (id)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- unless table secret
CREATE TABLE secret (
    realm varchar(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    `key` varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    credentials longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    sealed_with varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    version bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    PRIMARY KEY (realm, `key`)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- unless table token
CREATE TABLE token (
    realm varchar(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    `key` varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    token longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    sealed_with varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    expires_at bigint NULL,
    generation bigint NOT NULL,
    minted_at bigint NULL,
    minted_for_realm bigint NULL,
    minted_for_secret bigint NULL,
    fence bigint NOT NULL,
    holder varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    taken_at bigint NULL,
    lease_until bigint NULL,
    reason varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    next_mint_at bigint NULL,
    retry_at bigint NULL,
    retry_class varchar(16) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    retry_for_realm bigint NULL,
    retry_for_secret bigint NULL,
    failure longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    fails bigint NOT NULL,
    doubts bigint NOT NULL,
    dies_at bigint NULL,
    marks bigint NOT NULL,
    PRIMARY KEY (realm, `key`)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
