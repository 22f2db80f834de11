import type { DeadLetter, DeadLetterState } from '@tocsin/contracts/dead-letter'
import { newId } from '@tocsin/contracts/ids'
import type { PageRequest } from '@tocsin/http/paging'
import type { Queryable } from '@tocsin/postgres/database'

/** What lists show; the record itself may have a MiB. */
export interface DeadLetterRow {
  dead_letter_id: string
  service: string
  stage: string
  source_topic: string
  source_partition: number
  source_offset: number
  source_timestamp: Date | null
  value_bytes: number | null
  value_omitted: boolean
  error_code: string
  message: string
  attempts: number
  first_failed_at: Date
  last_failed_at: Date
  state: DeadLetterState
  settled_at: Date | null
  settled_by: string | null
}

export interface DeadLetterRecord {
  key: Buffer | null
  value: Buffer | null
  headers: DeadLetter['source']['headers']
}

const columns = `dead_letter_id, service, stage, source_topic, source_partition, source_offset, source_timestamp,
  octet_length(value) AS value_bytes, value_omitted, error_code, message, attempts, first_failed_at, last_failed_at,
  state, settled_at, settled_by`

/**
 * Newer is only what failed later: the same letter read again changes nothing, and one that comes after a later one of
 * the same record neither. A letter that failed after its replay waits again; a discarded one stays discarded, as somebody
 * has said that nobody needs the record.
 */
const upsert = `
  INSERT INTO dead_letters AS old (dead_letter_id, service, stage, source_topic, source_partition, source_offset,
    source_timestamp, key, value, value_omitted, headers, error_code, message, attempts, first_failed_at, last_failed_at)
  SELECT id, service, stage, topic, partition, "offset", at, decode(key, 'base64'), decode(value, 'base64'), omitted,
    headers::json, code, message, attempts, first_at, last_at
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::timestamptz[], $8::text[],
    $9::text[], $10::boolean[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::timestamptz[], $16::timestamptz[])
    AS letter (id, service, stage, topic, partition, "offset", at, key, value, omitted, headers, code, message, attempts,
      first_at, last_at)
  ON CONFLICT (source_topic, source_partition, source_offset, stage) DO UPDATE SET
    attempts = old.attempts + excluded.attempts,
    last_failed_at = excluded.last_failed_at,
    error_code = excluded.error_code,
    message = excluded.message,
    state = CASE WHEN old.state = 'replayed' AND excluded.last_failed_at > old.settled_at THEN 'waiting' ELSE old.state END,
    settled_at = CASE WHEN old.state = 'replayed' AND excluded.last_failed_at > old.settled_at THEN NULL ELSE old.settled_at END,
    settled_by = CASE WHEN old.state = 'replayed' AND excluded.last_failed_at > old.settled_at THEN NULL ELSE old.settled_by END
  WHERE excluded.last_failed_at > old.last_failed_at`

/** One statement, however many. Times are in the one form that `toISOString` gives. */
export async function upsertDeadLetters(db: Queryable, letters: readonly DeadLetter[]): Promise<void> {
  if (letters.length === 0) return
  const rows = oneOfEach(letters.map(toValues))
  await db.query(
    upsert,
    rows[0]!.map((_, column) => rows.map(row => row[column])),
  )
}

type Value = string | number | boolean | null

/** Columns are cut where a btree refuses more than some 2,700 bytes; what our services write is far shorter. */
const nameLengthMax = 300

function toValues(letter: DeadLetter): Value[] {
  const { source, error } = letter
  return [
    newId('deadLetter'),
    storableText(letter.service, nameLengthMax),
    storableText(letter.stage, nameLengthMax),
    storableText(source.topic, nameLengthMax),
    source.partition,
    source.offset,
    source.timestamp,
    source.key,
    letter.value,
    letter.value_omitted,
    JSON.stringify(source.headers),
    storableText(error.code, nameLengthMax),
    storableText(error.message),
    letter.attempts,
    letter.first_failed_at,
    letter.last_failed_at,
  ]
}

/** Postgres has no U+0000 in text. It is shown as JSON writes it; half a surrogate pair becomes U+FFFD. */
export function storableText(text: string, lengthMax = text.length): string {
  return text.slice(0, lengthMax).replaceAll('\0', '\\u0000').toWellFormed()
}

const [stageAt, topicAt, partitionAt, offsetAt, attemptsAt, lastAt] = [2, 3, 4, 5, 13, 15] as const

/**
 * A statement may touch a row once, so letters of the same record are made one, by the rule of the upsert. In the order of
 * the unique key, so that two mirrors that write the same rows wait for each other instead of deadlocking.
 */
function oneOfEach(rows: readonly Value[][]): Value[][] {
  const found = new Map<string, Value[]>()
  for (const row of rows) {
    const key = JSON.stringify([row[topicAt], row[partitionAt], row[offsetAt], row[stageAt]])
    const before = found.get(key)
    found.set(key, before === undefined ? row : merged(before, row))
  }
  return [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row)
}

function merged(before: Value[], row: Value[]): Value[] {
  if (String(row[lastAt]) <= String(before[lastAt])) return before
  const first = [...before]
  for (const at of [11, 12, lastAt]) first[at] = row[at]!
  first[attemptsAt] = Number(before[attemptsAt]) + Number(row[attemptsAt])
  return first
}

export interface DeadLetterFilter {
  errorCode: string | undefined
  service: string | undefined
  topic: string | undefined
  /** Failed then or later. */
  since: string | undefined
}

const matching = (first: number) => `
  ($${first}::text IS NULL OR error_code = $${first})
  AND ($${first + 1}::text IS NULL OR service = $${first + 1})
  AND ($${first + 2}::text IS NULL OR source_topic = $${first + 2})
  AND ($${first + 3}::timestamptz IS NULL OR last_failed_at >= $${first + 3})`
const matchingValues = ({ errorCode, service, topic, since }: DeadLetterFilter) => [errorCode, service, topic, since]

export async function listDeadLetters(
  db: Queryable,
  { state, ...filter }: DeadLetterFilter & { state: DeadLetterState | undefined },
  { limit, after }: PageRequest,
): Promise<DeadLetterRow[]> {
  const { rows } = await db.query<DeadLetterRow>(
    `SELECT ${columns} FROM dead_letters
     WHERE ($1::text IS NULL OR state = $1) AND ($2::text IS NULL OR dead_letter_id < $2) AND ${matching(4)}
     ORDER BY dead_letter_id DESC LIMIT $3`,
    [state, after, limit + 1, ...matchingValues(filter)],
  )
  return rows
}

export async function findDeadLetter(
  db: Queryable,
  id: string,
  lock: '' | 'FOR UPDATE' = '',
): Promise<(DeadLetterRow & DeadLetterRecord) | undefined> {
  const { rows } = await db.query<DeadLetterRow & DeadLetterRecord>(
    `SELECT ${columns}, key, value, headers FROM dead_letters WHERE dead_letter_id = $1 ${lock}`,
    [id],
  )
  return rows[0]
}

/** The rows must be locked, or waiting no longer is no matter. */
export async function settle(
  db: Queryable,
  ids: readonly string[],
  { state, by }: { state: 'replayed' | 'discarded'; by: string },
): Promise<void> {
  await db.query(
    `UPDATE dead_letters SET state = $2, settled_at = clock_timestamp(), settled_by = $3 WHERE dead_letter_id = ANY ($1)`,
    [ids, state, by],
  )
}

/** What of the waiting ones a call is about: those that match, and none that came after `upTo`. */
export interface Selection extends DeadLetterFilter {
  upTo: string
}

export async function newestDeadLetter(db: Queryable): Promise<string | undefined> {
  const { rows } = await db.query<{ dead_letter_id: string }>(
    'SELECT dead_letter_id FROM dead_letters ORDER BY dead_letter_id DESC LIMIT 1',
  )
  return rows[0]?.dead_letter_id
}

export interface HeldLetter {
  dead_letter_id: string
  bytes: number
}

/**
 * The oldest that wait, locked; what somebody else has in hand is left to them. With `topics` only those that can be
 * replayed, to one of these.
 */
export async function holdWaiting(
  client: Queryable,
  { upTo, ...filter }: Selection,
  { after, limit, topics }: { after: string; limit: number; topics?: readonly string[] },
): Promise<HeldLetter[]> {
  const { rows } = await client.query<HeldLetter>(
    `SELECT dead_letter_id, coalesce(octet_length(value), 0) AS bytes FROM dead_letters
     WHERE state = 'waiting' AND dead_letter_id > $1 AND dead_letter_id <= $2
       AND ($4::text[] IS NULL OR (source_topic = ANY ($4) AND NOT value_omitted)) AND ${matching(5)}
     ORDER BY dead_letter_id LIMIT $3 FOR UPDATE SKIP LOCKED`,
    [after, upTo, limit, topics, ...matchingValues(filter)],
  )
  return rows
}

export async function readRecords(
  db: Queryable,
  ids: readonly string[],
): Promise<(DeadLetterRecord & { dead_letter_id: string; source_topic: string })[]> {
  const { rows } = await db.query<DeadLetterRecord & { dead_letter_id: string; source_topic: string }>(
    `SELECT dead_letter_id, source_topic, key, value, headers FROM dead_letters
     WHERE dead_letter_id = ANY ($1) ORDER BY dead_letter_id`,
    [ids],
  )
  return rows
}

/** Those that wait and cannot be replayed: their value is not here, or nobody of ours reads where they came from. */
export async function countUnreplayable(
  db: Queryable,
  { upTo, ...filter }: Selection,
  topics: readonly string[],
): Promise<number> {
  const { rows } = await db.query<{ count: number }>(
    `SELECT count(*) FROM dead_letters
     WHERE state = 'waiting' AND dead_letter_id <= $1 AND (value_omitted OR source_topic <> ALL ($2)) AND ${matching(3)}`,
    [upTo, topics, ...matchingValues(filter)],
  )
  return rows[0]!.count
}
