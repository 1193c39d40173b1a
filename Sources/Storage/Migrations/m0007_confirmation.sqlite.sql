-- Where a secret's credentials may be sent: scheme, host and port. NULL where they were entered before this was kept, and the
-- realm's URL has not changed since; empty where they were entered while the realm had no URL.

-- unless column secret.confirmed_for
ALTER TABLE secret ADD COLUMN confirmed_for text NULL;
