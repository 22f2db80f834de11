-- Owner: aggregator (notifications, notification_keys, handovers). Breaking: the release before this one writes neither
-- keys nor handover_id, so it must be stopped first. It copies the notifications that there are.

ALTER TABLE deliveries DROP CONSTRAINT deliveries_notification_id_fkey;
-- In the order of bytes, as below: a join of two collations can use the index of one side only.
ALTER TABLE deliveries ALTER COLUMN notification_id TYPE text COLLATE "C";
ALTER TABLE notifications RENAME TO old_notifications;
ALTER TABLE handovers RENAME TO old_handovers;
ALTER TABLE old_handovers DROP CONSTRAINT handovers_pkey;
ALTER TABLE old_notifications DROP CONSTRAINT notifications_pkey, DROP CONSTRAINT notifications_team_id_alert_id_key,
  DROP CONSTRAINT notifications_status_check, DROP CONSTRAINT notifications_outcome_check;
DROP INDEX notifications_by_team, notifications_by_time, notifications_by_outcome;

-- A partition a day, by the time that each id begins with: what is old is dropped whole, and whoever has an id knows
-- where its row is. The aggregator makes partitions ahead and drops them.
CREATE TABLE notifications (
  notification_id text COLLATE "C" PRIMARY KEY,
  team_id         text NOT NULL,
  alert_id        text NOT NULL,
  -- Keeps the order of what a sweep hands over. NULL: the alert named no problem.
  dedup_key       text,
  -- json and not jsonb: an alert is kept as it came, and jsonb refuses \u0000 and lone surrogates, which JSON may have.
  alert           json NOT NULL,
  -- [{"rule_id", "name", "version", "endpoint_ids"}], as they were when they matched. json, as reading a jsonb in took
  -- 7 µs of the 25 that a row takes.
  rules           json NOT NULL,
  -- `ready` from the start: while its batch is in `handovers`, it is not yet, and shown as `pending`. A state of its own
  -- would be a second write of every row. `skipped` from the start when no rule names an endpoint.
  status          text NOT NULL DEFAULT 'ready' CHECK (status IN ('ready', 'delivered', 'partial', 'failed', 'skipped')),
  -- The rare ends once more, for `?status=`; NULL for all others.
  outcome         text CHECK (outcome IN ('partial', 'failed')),
  -- The batch that it is to be handed over with.
  handover_id     uuid,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now()
) PARTITION BY RANGE (notification_id);
CREATE INDEX notifications_by_team ON notifications (team_id, notification_id DESC);
CREATE INDEX notifications_by_outcome ON notifications (team_id, outcome, notification_id DESC) WHERE outcome IS NOT NULL;

-- The boundary of the whole pipeline: whatever is sent, read or crashed twice, a (team, alert) is one notification. A table
-- of its own, because a unique constraint over partitions must hold the key that they are made by, and the same alert
-- may come again after midnight.
CREATE TABLE notification_keys (
  team_id         text NOT NULL,
  alert_id        text NOT NULL,
  notification_id text COLLATE "C" NOT NULL,
  made_on         date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
  UNIQUE (team_id, alert_id)
);
-- What may be deleted. Many rows have one value, and a b-tree keeps a value once: a few bytes a row.
CREATE INDEX notification_keys_by_day ON notification_keys (made_on);

-- One for each batch of notifications, made with them and deleted when all of them are handed over: what is old here
-- was left behind. Its notifications are those with its id, all of them between two ids.
CREATE TABLE handovers (
  handover_id uuid PRIMARY KEY,
  first_id    text COLLATE "C" NOT NULL,
  last_id     text COLLATE "C" NOT NULL,
  made_at     timestamptz NOT NULL DEFAULT now()
);

-- What there is, today's and tomorrow's: the aggregator, once it runs, makes the next.
DO $$
DECLARE
  until date := (now() AT TIME ZONE 'UTC')::date + 2;
BEGIN
  EXECUTE format('CREATE TABLE %I PARTITION OF notifications FOR VALUES FROM (MINVALUE) TO (%L) WITH (fillfactor = 80)',
                 to_char(until, '"notifications_until_"YYYY_MM_DD'),
                 'ntf_' || lpad(to_hex((extract(epoch FROM until) * 1000)::bigint), 12, '0'));
END $$;

INSERT INTO notifications (notification_id, team_id, alert_id, dedup_key, alert, rules, status, outcome, handover_id,
                           created_at, updated_at)
SELECT notification_id, team_id, alert_id, dedup_key, alert, rules::json, CASE status WHEN 'pending' THEN 'ready' ELSE status END,
       outcome, handover_id, created_at, updated_at
  FROM old_notifications n LEFT JOIN old_handovers h ON h.made_at = n.created_at AND n.status = 'pending';
INSERT INTO notification_keys (team_id, alert_id, notification_id, made_on)
SELECT team_id, alert_id, notification_id, created_at::date FROM old_notifications;
INSERT INTO handovers (handover_id, first_id, last_id, made_at)
SELECT handover_id, min(notification_id), max(notification_id), min(created_at)
  FROM notifications WHERE handover_id IS NOT NULL GROUP BY handover_id;
DROP TABLE old_notifications, old_handovers;
