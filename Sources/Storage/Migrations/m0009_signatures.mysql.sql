-- API keys are signed under a key made of a master key, whose id is `signed_with`: a row that nobody signed opens nothing.

-- unless column api_key.signature
ALTER TABLE api_key
    ADD COLUMN signed_with varchar(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL,
    ADD COLUMN signature char(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NULL;
