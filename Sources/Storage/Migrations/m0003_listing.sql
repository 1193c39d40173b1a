-- Lists are ordered by the last change, and a realm's secrets are listed alone.

-- unless index realm.realm_listing
CREATE INDEX realm_listing ON realm (updated_at, created_at);

-- unless index secret.secret_listing
CREATE INDEX secret_listing ON secret (updated_at, created_at);

-- unless index secret.secret_realm_listing
CREATE INDEX secret_realm_listing ON secret (realm, updated_at, created_at);
