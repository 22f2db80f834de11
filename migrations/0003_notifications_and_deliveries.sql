-- Owner: aggregator (notifications), sender (deliveries, attempts). Rows outlive the rules and endpoints that they name.

CREATE TABLE notifications (
  notification_id text PRIMARY KEY,
  team_id         text NOT NULL,
  alert_id        text NOT NULL,
  -- json and not jsonb: an alert is kept as it came, and jsonb refuses \u0000 and lone surrogates, which JSON may have.
  alert           json NOT NULL,
  -- [{"rule_id", "name", "version", "endpoint_ids"}], as they were when they matched.
  rules           jsonb NOT NULL,
  status          text NOT NULL DEFAULT 'pending'
                  CHECK (status IN ('pending', 'ready', 'delivered', 'partial', 'failed', 'skipped')),
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  -- The boundary of the whole pipeline: whatever is sent, read or crashed twice, this stays one row.
  UNIQUE (team_id, alert_id)
);
CREATE INDEX notifications_by_team ON notifications (team_id, notification_id DESC);
CREATE INDEX notifications_not_handed_over ON notifications (created_at) WHERE status = 'pending';

CREATE TABLE deliveries (
  delivery_id     text PRIMARY KEY,
  notification_id text NOT NULL REFERENCES notifications ON DELETE CASCADE,
  endpoint_id     text NOT NULL,
  team_id         text NOT NULL,
  kind            text NOT NULL,
  state           text NOT NULL DEFAULT 'pending'
                  CHECK (state IN ('pending', 'scheduled', 'delivering', 'delivered', 'failed', 'skipped')),
  attempts        integer NOT NULL DEFAULT 0,
  -- Until then somebody holds it (a queued job, a running attempt) or it waits for its retry; afterwards anybody may take it.
  due_at          timestamptz NOT NULL,
  last_error      text,
  created_at      timestamptz NOT NULL DEFAULT now(),
  updated_at      timestamptz NOT NULL DEFAULT now(),
  UNIQUE (notification_id, endpoint_id)
);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state IN ('pending', 'scheduled', 'delivering');
CREATE INDEX deliveries_by_team ON deliveries (team_id, delivery_id DESC);

CREATE TABLE delivery_attempts (
  delivery_id  text NOT NULL REFERENCES deliveries ON DELETE CASCADE,
  attempt      integer NOT NULL,
  started_at   timestamptz NOT NULL,
  duration_ms  integer NOT NULL,
  -- An HTTP status or an SMTP reply code, when there was an answer at all.
  reply_code   integer,
  reply        text,
  error_code   text,
  PRIMARY KEY (delivery_id, attempt)
);
