-- API keys are signed under a key made of a master key, whose id is `signed_with`: a row that nobody signed opens nothing.

-- unless column api_key.signed_with
ALTER TABLE api_key ADD COLUMN signed_with text NULL;
-- unless column api_key.signature
ALTER TABLE api_key ADD COLUMN signature text NULL;
