-- Who did what. Entries of a chain are numbered without a gap and each names the hash of the one before it.

-- unless table audit
CREATE TABLE audit (
    id integer PRIMARY KEY AUTOINCREMENT,
    chain text NOT NULL,
    place integer NOT NULL,
    at integer NOT NULL,
    actor text NOT NULL,
    request_id text NOT NULL,
    action text NOT NULL,
    realm text NULL,
    `key` text NULL,
    outcome text NOT NULL,
    detail text NOT NULL,
    generation integer NULL,
    hash text NOT NULL,
    signed_with text NOT NULL,
    signature text NOT NULL,
    UNIQUE (chain, place)
);

-- unless index audit.audit_secret
CREATE INDEX audit_secret ON audit (realm, `key`, id);

-- unless index audit.audit_at
CREATE INDEX audit_at ON audit (at);

-- The last entry of each chain, and where the chain begins since older entries were removed.
-- unless table audit_chain
CREATE TABLE audit_chain (
    chain text PRIMARY KEY NOT NULL,
    place integer NOT NULL,
    hash text NOT NULL,
    pruned_place integer NOT NULL DEFAULT 0,
    pruned_hash text NOT NULL DEFAULT '',
    pruned_signed_with text NULL,
    pruned_signature text NULL
);
