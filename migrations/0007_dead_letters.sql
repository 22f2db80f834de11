-- Owner: rule-service. Not breaking: the release before this one does not know of it.

-- What is on the topic dead.letters, to be looked at and acted on: the topic forgets after 30 days, and can only be read
-- from its beginning. A row that waits stays until somebody replays or discards it. rule-service deletes it 30 days after
-- that: later than the topic forgets its record, so that nothing can bring it back.
CREATE TABLE dead_letters (
  dead_letter_id   text PRIMARY KEY,
  service          text NOT NULL,
  stage            text NOT NULL,
  source_topic     text NOT NULL,
  -- bigint, and so is every other number here: whatever integer a message has must find a place.
  source_partition bigint NOT NULL,
  source_offset    bigint NOT NULL,
  -- NULL: the record had no time that a calendar has.
  source_timestamp timestamptz,
  -- The bytes of the record. NULL: it had none, or it was too large to be kept twice (value_omitted).
  key              bytea,
  value            bytea,
  value_omitted    boolean NOT NULL,
  -- [{"name", "value" in base64}], in order. json and not jsonb: names may have U+0000, which jsonb refuses, and a replay
  -- must put them back as they were.
  headers          json NOT NULL,
  error_code       text NOT NULL,
  message          text NOT NULL,
  attempts         bigint NOT NULL,
  first_failed_at  timestamptz NOT NULL,
  last_failed_at   timestamptz NOT NULL,
  state            text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'replayed', 'discarded')),
  -- When and with which key it was replayed or discarded; NULL while it waits.
  settled_at       timestamptz,
  settled_by       text,
  -- A record that is read again after a crash fails again: one letter, and not two.
  UNIQUE (source_topic, source_partition, source_offset, stage)
);

-- The lists, newest first.
CREATE INDEX dead_letters_by_state ON dead_letters (state, dead_letter_id DESC);
CREATE INDEX dead_letters_by_error_code ON dead_letters (error_code, dead_letter_id DESC);
-- The daily report.
CREATE INDEX dead_letters_by_day ON dead_letters (first_failed_at, error_code);
-- How many wait, counted every few seconds: from this index alone.
CREATE INDEX dead_letters_waiting ON dead_letters (error_code) WHERE state = 'waiting';
-- What may be deleted.
CREATE INDEX dead_letters_settled ON dead_letters (settled_at) WHERE state <> 'waiting';
