-- Who did what. Entries of a chain are numbered without a gap and each names the hash of the one before it.

-- unless table audit
CREATE TABLE audit (
    id bigint NOT NULL AUTO_INCREMENT,
    chain varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    place bigint NOT NULL,
    at bigint NOT NULL,
    actor varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    request_id varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    action varchar(32) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    realm varchar(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    `key` varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    outcome varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    detail varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    generation bigint NULL,
    hash char(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    signed_with varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    signature char(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    PRIMARY KEY (id),
    UNIQUE KEY audit_place (chain, place)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- unless index audit.audit_secret
CREATE INDEX audit_secret ON audit (realm, `key`, id);

-- unless index audit.audit_at
CREATE INDEX audit_at ON audit (at);

-- The last entry of each chain, and where the chain begins since older entries were removed.
-- unless table audit_chain
CREATE TABLE audit_chain (
    chain varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    place bigint NOT NULL,
    hash char(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    pruned_place bigint NOT NULL DEFAULT 0,
    pruned_hash char(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    pruned_signed_with varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    pruned_signature char(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    PRIMARY KEY (chain)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
