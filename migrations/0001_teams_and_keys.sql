-- Owner: rule-service. Teams own everything else; keys let callers in.

CREATE TABLE teams (
  team_id    text PRIMARY KEY,
  name       text NOT NULL,
  version    integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);

-- Only the SHA-256 of a key is kept. A key is 256 random bits, so a fast hash is enough: there is nothing to guess.
CREATE TABLE api_keys (
  key_id     text PRIMARY KEY,
  name       text NOT NULL,
  key_hash   bytea NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now()
);
