-- Owner: rule-service. rule-updater reads rules and stamps snapshot_version.

CREATE TABLE endpoints (
  endpoint_id text PRIMARY KEY,
  team_id     text NOT NULL REFERENCES teams ON DELETE CASCADE,
  kind        text NOT NULL CHECK (kind IN ('webhook', 'email')),
  name        text NOT NULL,
  -- What the kind needs: {"url"} or {"to"}. The sender's channel of that kind is its only reader.
  target      jsonb NOT NULL,
  secret      text,
  enabled     boolean NOT NULL DEFAULT true,
  version     integer NOT NULL DEFAULT 1,
  created_at  timestamptz NOT NULL DEFAULT now(),
  updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX endpoints_by_team ON endpoints (team_id, endpoint_id);

CREATE TABLE rules (
  rule_id          text PRIMARY KEY,
  team_id          text NOT NULL REFERENCES teams ON DELETE CASCADE,
  name             text NOT NULL,
  conditions       jsonb NOT NULL,
  -- {"severity", "source", "name"} as written, when the rule was written in the short form.
  shorthand        jsonb,
  endpoint_ids     text[] NOT NULL DEFAULT '{}',
  enabled          boolean NOT NULL DEFAULT true,
  notify_resolved  boolean NOT NULL DEFAULT true,
  version          integer NOT NULL DEFAULT 1,
  -- The first snapshot that holds this version of the rule; NULL from each write until one does.
  snapshot_version bigint,
  created_at       timestamptz NOT NULL DEFAULT now(),
  updated_at       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX rules_by_team ON rules (team_id, rule_id);
CREATE INDEX rules_not_in_a_snapshot ON rules (rule_id) WHERE snapshot_version IS NULL;

-- Drawn here and not in Redis, so that a flushed Redis cannot make an old snapshot look new.
CREATE SEQUENCE snapshot_versions;

-- Written in the transaction that changes a rule; the relay publishes the rows in order and marks them.
CREATE TABLE outbox (
  outbox_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  topic        text NOT NULL,
  key          text NOT NULL,
  message      jsonb NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  published_at timestamptz
);
CREATE INDEX outbox_unpublished ON outbox (outbox_id) WHERE published_at IS NULL;
