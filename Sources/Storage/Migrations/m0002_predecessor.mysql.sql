-- Turns the predecessor's `realm` and `secret` into ours, in place, with rows and live tokens; on a new installation nothing runs.
--
-- The columns that held credentials and tokens in clear are the sign that this is not finished: every statement asks for
-- `secret.key_1`, and the last one drops them all at once. Until then each statement may run again, also beside itself
-- from another process, and does not touch what a later one has made. The predecessor must be stopped.

-- Its datetimes become numbers in place: first 20260102030405, and whatever still looks like that then becomes
-- milliseconds. They are taken as UTC, which is the time zone of our connections.
-- when column secret.key_1
-- when columnType realm.created_at datetime
ALTER TABLE realm MODIFY COLUMN created_at bigint NULL, MODIFY COLUMN updated_at bigint NULL;

-- when column secret.key_1
UPDATE realm SET
    updated_at = CASE WHEN updated_at >= 19700101000000
        THEN COALESCE(UNIX_TIMESTAMP(CAST(updated_at AS DATETIME)) * 1000, 0) ELSE COALESCE(updated_at, 0) END,
    created_at = CASE WHEN created_at >= 19700101000000
        THEN COALESCE(UNIX_TIMESTAMP(CAST(created_at AS DATETIME)) * 1000, 0) ELSE COALESCE(created_at, 0) END
WHERE updated_at IS NULL OR created_at IS NULL OR updated_at >= 19700101000000 OR created_at >= 19700101000000;

-- when column secret.key_1
-- when columnType secret.created_at datetime
ALTER TABLE secret MODIFY COLUMN created_at bigint NULL, MODIFY COLUMN updated_at bigint NULL;

-- when column secret.key_1
UPDATE secret SET
    updated_at = CASE WHEN updated_at >= 19700101000000
        THEN COALESCE(UNIX_TIMESTAMP(CAST(updated_at AS DATETIME)) * 1000, 0) ELSE COALESCE(updated_at, 0) END,
    created_at = CASE WHEN created_at >= 19700101000000
        THEN COALESCE(UNIX_TIMESTAMP(CAST(created_at AS DATETIME)) * 1000, 0) ELSE COALESCE(created_at, 0) END
WHERE updated_at IS NULL OR created_at IS NULL OR updated_at >= 19700101000000 OR created_at >= 19700101000000;

-- There names were equal whatever their case: each secret gets its realm's spelling while that comparison still holds.
-- when column secret.key_1
UPDATE secret INNER JOIN realm ON realm.id = secret.realm SET secret.realm = realm.id;

-- when column secret.key_1
-- unless column realm.recipe_version
ALTER TABLE realm
    ADD COLUMN policy longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    ADD COLUMN recipe_version bigint NOT NULL DEFAULT 0,
    ADD COLUMN revision bigint NOT NULL DEFAULT 0;

-- when column secret.key_1
UPDATE realm SET
    recipe_version = CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED),
    revision = CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)
WHERE recipe_version = 0;

-- when column secret.key_1
ALTER TABLE realm
    MODIFY COLUMN id varchar(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    MODIFY COLUMN config longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    MODIFY COLUMN logic_code longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    MODIFY COLUMN comment longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    MODIFY COLUMN recipe_version bigint NOT NULL,
    MODIFY COLUMN revision bigint NOT NULL,
    MODIFY COLUMN created_at bigint NOT NULL,
    MODIFY COLUMN updated_at bigint NOT NULL,
    DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- when column secret.key_1
-- unless column secret.credentials
ALTER TABLE secret
    ADD COLUMN credentials longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    ADD COLUMN sealed_with varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    ADD COLUMN version bigint NOT NULL DEFAULT 0;

-- A credential that was never set is the empty text there; here it is absent.
-- when column secret.key_1
UPDATE secret SET
    version = CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED),
    credentials = CONCAT('{', CONCAT_WS(',',
        CASE WHEN key_1 <> '' THEN CONCAT('"key_1":', JSON_QUOTE(key_1)) END,
        CASE WHEN key_2 <> '' THEN CONCAT('"key_2":', JSON_QUOTE(key_2)) END,
        CASE WHEN key_3 <> '' THEN CONCAT('"key_3":', JSON_QUOTE(key_3)) END,
        CASE WHEN key_4 <> '' THEN CONCAT('"key_4":', JSON_QUOTE(key_4)) END,
        CASE WHEN key_5 <> '' THEN CONCAT('"key_5":', JSON_QUOTE(key_5)) END), '}')
WHERE credentials IS NULL;

-- when column secret.key_1
ALTER TABLE secret
    MODIFY COLUMN realm varchar(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    MODIFY COLUMN `key` varchar(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    MODIFY COLUMN credentials longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    MODIFY COLUMN version bigint NOT NULL,
    MODIFY COLUMN created_at bigint NOT NULL,
    MODIFY COLUMN updated_at bigint NOT NULL,
    DROP PRIMARY KEY, ADD PRIMARY KEY (realm, `key`),
    DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- A live token comes along as the first of its secret. One without expiry is believed only where its realm cannot fetch
-- another. What a server has stored since an interrupted run stays.
-- when column secret.key_1
INSERT INTO token
    (realm, `key`, token, expires_at, generation, minted_at, minted_for_realm, minted_for_secret, fence, fails, doubts, marks)
SELECT held.realm, held.`key`,
    CASE WHEN held.is_live THEN held.token END,
    CASE WHEN held.is_live THEN held.expires_at END,
    CASE WHEN held.is_live THEN 1 ELSE 0 END,
    CASE WHEN held.is_live THEN held.clock END,
    CASE WHEN held.is_live THEN held.recipe_version END,
    CASE WHEN held.is_live THEN held.version END,
    held.clock, 0, 0, 0
FROM (
    SELECT secret.realm, secret.`key`, secret.token, secret.expires_at, secret.version,
        COALESCE(realm.recipe_version, 0) AS recipe_version,
        CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) AS clock,
        COALESCE(secret.token <> '' AND (
            secret.expires_at > CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)
            OR (secret.expires_at IS NULL AND realm.config IS NULL AND realm.logic_code = '')), 0) AS is_live
    FROM secret LEFT JOIN realm ON realm.id = secret.realm
) AS held
-- Who is there already stays as it is; a value that does not fit is an error all the same, unlike with IGNORE.
ON DUPLICATE KEY UPDATE realm = token.realm;

-- when index secret.idx_secret_realm
ALTER TABLE secret DROP INDEX idx_secret_realm;

-- when column secret.key_1
ALTER TABLE secret
    DROP COLUMN key_1, DROP COLUMN key_2, DROP COLUMN key_3, DROP COLUMN key_4, DROP COLUMN key_5,
    DROP COLUMN token, DROP COLUMN expires_at;
