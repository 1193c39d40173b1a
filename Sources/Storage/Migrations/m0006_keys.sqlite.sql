-- The callers' API keys: digests, and what each lets its holder do.

-- unless table api_key
CREATE TABLE api_key (
    id text NOT NULL,
    digest text NOT NULL,
    role text NOT NULL,
    scope text NULL,
    addresses text NULL,
    comment text NOT NULL,
    expires_at integer NULL,
    used_at integer NULL,
    created_at integer NOT NULL,
    created_by text NOT NULL,
    PRIMARY KEY (id)
);

-- unless index api_key.api_key_created
CREATE INDEX api_key_created ON api_key (created_at);
