-- Owner: rule-service (rule_versions), rule-updater (snapshot_lease; it stamps rule_versions). Breaking: the release
-- before this one asks for rules.snapshot_version, so it must be stopped first.

-- Every version that a rule ever had, written in the transaction that changes the rule, and never changed but for its
-- stamp. It outlives the rule. What was before a change is the row of the version before.
CREATE TABLE rule_versions (
  rule_id          text NOT NULL,
  version          integer NOT NULL,
  team_id          text NOT NULL,
  action           text NOT NULL CHECK (action IN ('created', 'updated', 'enabled', 'disabled', 'deleted')),
  -- The key that the change was made with; NULL: older than this table.
  changed_by       text,
  changed_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- The rule as this version has it: {"name", "conditions", "shorthand", "endpoints", "enabled", "notify_resolved"}.
  -- NULL: it is deleted.
  definition       jsonb,
  -- The first snapshot that knows of this change, and when it could be read; NULL until there is one.
  snapshot_version bigint,
  snapshot_at      timestamptz,
  PRIMARY KEY (rule_id, version)
);

-- What the next snapshot is for. Nearly always empty, so asking ten times a second costs nothing.
CREATE INDEX rule_versions_waiting ON rule_versions (rule_id) WHERE snapshot_version IS NULL;

-- When the first change was live that an evaluator does not have: how long it lags.
CREATE INDEX rule_versions_by_snapshot ON rule_versions (snapshot_version) WHERE snapshot_version IS NOT NULL;

-- Rules keep their stamps: without them the first snapshot afterwards would stamp every rule anew, and tell of changes
-- that waited for years.
INSERT INTO rule_versions (rule_id, version, team_id, action, changed_at, definition, snapshot_version, snapshot_at)
SELECT rule_id, version, team_id, CASE version WHEN 1 THEN 'created' ELSE 'updated' END, updated_at,
       jsonb_build_object('name', name, 'conditions', conditions, 'shorthand', shorthand, 'endpoints', endpoint_ids,
                          'enabled', enabled, 'notify_resolved', notify_resolved),
       snapshot_version, CASE WHEN snapshot_version IS NOT NULL THEN updated_at END
  FROM rules;

-- Who builds snapshots, until when, and the last version that was drawn: one row. The clock is Postgres's alone. Token
-- and version are drawn here and not in Redis, so that a flushed Redis cannot make an old leader or snapshot look new.
CREATE TABLE snapshot_lease (
  one             boolean PRIMARY KEY DEFAULT true CHECK (one),
  leader_id       text,
  -- Drawn anew by each leader; whoever has a smaller one may write no more.
  token           bigint NOT NULL DEFAULT 0,
  leader_since    timestamptz,
  lease_until     timestamptz NOT NULL DEFAULT '-infinity',
  version         bigint NOT NULL DEFAULT 0,
  -- Asked for by people, done by the leader: a rebuild is due while the first is larger.
  rebuilds_wanted bigint NOT NULL DEFAULT 0,
  rebuilds_done   bigint NOT NULL DEFAULT 0,
  -- {"at", "seconds", "rules", "drift"} of the last comparison of everything with Postgres.
  last_reconcile  jsonb
);
INSERT INTO snapshot_lease (version) SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM snapshot_versions;

DROP SEQUENCE snapshot_versions;
DROP INDEX rules_not_in_a_snapshot;
ALTER TABLE rules DROP COLUMN snapshot_version;
