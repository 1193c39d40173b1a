-- The tables of a new installation. Text is compared byte by byte; instants are epoch milliseconds in UTC.

-- unless table realm
CREATE TABLE realm (
    id text NOT NULL,
    config text NULL,
    logic_code text NOT NULL,
    comment text NOT NULL,
    policy text NULL,
    recipe_version integer NOT NULL,
    revision integer NOT NULL,
    created_at integer NOT NULL,
    updated_at integer NOT NULL,
    PRIMARY KEY (id)
);

-- unless table secret
CREATE TABLE secret (
    realm text NOT NULL,
    `key` text NOT NULL,
    credentials text NOT NULL,
    sealed_with text NULL,
    version integer NOT NULL,
    created_at integer NOT NULL,
    updated_at integer NOT NULL,
    PRIMARY KEY (realm, `key`)
);

-- unless table token
CREATE TABLE token (
    realm text NOT NULL,
    `key` text NOT NULL,
    token text NULL,
    sealed_with text NULL,
    expires_at integer NULL,
    generation integer NOT NULL,
    minted_at integer NULL,
    minted_for_realm integer NULL,
    minted_for_secret integer NULL,
    fence integer NOT NULL,
    holder text NULL,
    taken_at integer NULL,
    lease_until integer NULL,
    reason text NULL,
    next_mint_at integer NULL,
    retry_at integer NULL,
    retry_class text NULL,
    retry_for_realm integer NULL,
    retry_for_secret integer NULL,
    failure text NULL,
    fails integer NOT NULL,
    doubts integer NOT NULL,
    dies_at integer NULL,
    marks integer NOT NULL,
    PRIMARY KEY (realm, `key`)
);
