import { isUtf8 } from 'node:buffer'
import {
  type Bytes,
  type DeadLetterResource,
  type DeadLettersSettled,
  type DeadLetterWhole,
  deadLetterSelectionSchema,
  deadLetterStates,
} from '@tocsin/contracts/dead-letter'
import { storableJsonOf } from '@tocsin/http/body'
import { pageOf, pageRequest, single } from '@tocsin/http/paging'
import { checked } from '@tocsin/http/problems'
import type { ApiRequest, Handler, Route } from '@tocsin/http/routes'
import type { Database } from '@tocsin/postgres/database'
import { reportByDay } from '../dead-letters-report.ts'
import type { Settler } from '../dead-letters-settle.ts'
import {
  type DeadLetterFilter,
  type DeadLetterRecord,
  type DeadLetterRow,
  findDeadLetter,
  listDeadLetters,
} from '../dead-letters-store.ts'
import { noSuch } from '../not-found.ts'
import { oneOf, storableTime, wholeNumber } from '../query-values.ts'

const path = '/api/v1/dead-letters'

export function deadLetterRoutes(database: Database, settler: Settler): Route[] {
  return [
    { path, GET: list(database) },
    {
      path: `${path}/report`,
      GET: async ({ query }) => {
        const days = wholeNumber(query, 'days', { usual: 7, max: 366 })
        return { body: { days, items: await reportByDay(database, days) } }
      },
    },
    { path: `${path}/replay`, POST: settleMany('replayed', (...given) => settler.replayAll(...given)) },
    { path: `${path}/discard`, POST: settleMany('discarded', (...given) => settler.discardAll(...given)) },
    {
      path: `${path}/:letter`,
      GET: async request => {
        const id = request.param('letter')
        const row = await findDeadLetter(database, id)
        if (row === undefined) throw noSuch('dead letter', id)
        return { body: whole(row) }
      },
    },
    {
      path: `${path}/:letter/replay`,
      accepts: [],
      POST: settleOne('replayed', (...given) => settler.replay(...given)),
    },
    {
      path: `${path}/:letter/discard`,
      accepts: [],
      POST: settleOne('discarded', (...given) => settler.discard(...given)),
    },
  ]
}

function list(database: Database): Handler {
  return async ({ query }) => {
    const page = pageRequest(query, 'dead-letters')
    const filter = {
      state: oneOf(deadLetterStates, query, 'state'),
      errorCode: single(query, 'error_code'),
      service: single(query, 'service'),
      topic: single(query, 'topic'),
      since: storableTime(single(query, 'since'), '/since'),
    }
    const rows = await listDeadLetters(database, filter, page)
    return { body: pageOf(rows, page, 'dead-letters', { key: row => row.dead_letter_id, item: resource }) }
  }
}

function settleOne(state: string, work: (id: string, by: string) => Promise<DeadLetterRow>): Handler {
  return async request => {
    const [id, by] = [request.param('letter'), request.caller.key_id]
    const row = await work(id, by)
    request.log.info({ key_id: by, dead_letter_id: id }, `a dead letter is ${state}`)
    return { body: resource(row) }
  }
}

type SettleMany = (filter: DeadLetterFilter, upTo: string | undefined, by: string) => Promise<DeadLettersSettled>

function settleMany(state: string, work: SettleMany): Handler {
  return async request => {
    const { filter, upTo } = selectionOf(request)
    const by = request.caller.key_id
    const answer = await work(filter, upTo, by)
    request.log.info({ key_id: by, ...filter, ...answer }, `dead letters are ${state}`)
    return { body: answer }
  }
}

function selectionOf({ body }: ApiRequest): { filter: DeadLetterFilter; upTo: string | undefined } {
  const { error_code, service, topic, since, up_to } = checked(deadLetterSelectionSchema, storableJsonOf(body))
  return { filter: { errorCode: error_code, service, topic, since: storableTime(since, '/since') }, upTo: up_to }
}

function resource(row: DeadLetterRow): DeadLetterResource {
  return {
    dead_letter_id: row.dead_letter_id,
    state: row.state,
    service: row.service,
    stage: row.stage,
    error: { code: row.error_code, message: row.message },
    attempts: row.attempts,
    first_failed_at: row.first_failed_at.toISOString(),
    last_failed_at: row.last_failed_at.toISOString(),
    source: {
      topic: row.source_topic,
      partition: row.source_partition,
      offset: row.source_offset,
      timestamp: row.source_timestamp?.toISOString() ?? null,
    },
    value_bytes: row.value_bytes,
    value_omitted: row.value_omitted,
    settled_at: row.settled_at?.toISOString() ?? null,
    settled_by: row.settled_by,
  }
}

function whole(row: DeadLetterRow & DeadLetterRecord): DeadLetterWhole {
  return {
    ...resource(row),
    key: bytes(row.key),
    headers: row.headers.map(({ name, value }) => ({
      name,
      value: value === null ? null : bytes(Buffer.from(value, 'base64')),
    })),
    value: bytes(row.value),
  }
}

function bytes(data: Buffer): Bytes
function bytes(data: Buffer | null): Bytes | null
function bytes(data: Buffer | null): Bytes | null {
  return data && { base64: data.toString('base64'), text: isUtf8(data) ? data.toString() : null }
}
