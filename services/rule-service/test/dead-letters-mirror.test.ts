import type { DeadLetter } from '@tocsin/contracts/dead-letter'
import type { Queryable } from '@tocsin/postgres/database'
import { createLogger } from '@tocsin/runtime/logger'
import { eventually } from '@tocsin/testkit/eventually'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { mirrorDeadLetters } from '../src/dead-letters-mirror.ts'
import { settle, upsertDeadLetters } from '../src/dead-letters-store.ts'
import { base64, letter, publishLetters } from './letters.ts'
import { type RunningRuleService, startRuleService } from './running-rule-service.ts'

let running: RunningRuleService
const kafka = () => testKafka(running.environment.KAFKA_TOPIC_PREFIX!)

beforeAll(async () => {
  running = await startRuleService()
})
afterAll(() => running[Symbol.asyncDispose]())
beforeEach(() => running.database.query('DELETE FROM dead_letters'))

interface Row {
  dead_letter_id: string
  [column: string]: unknown
}
const rowsOf = async (db: Queryable = running.database) =>
  (await db.query<Row>('SELECT * FROM dead_letters ORDER BY source_offset, stage')).rows
const untilRows = (count: number) =>
  eventually(async () => {
    const rows = await rowsOf()
    expect(rows).toHaveLength(count)
    return rows
  })
const metrics = async () => (await fetch(`${running.service.url}/metrics`)).text()

describe('from dead.letters to Postgres', () => {
  it('a letter is there as it was written, byte by byte', async () => {
    const bytes = Buffer.from([0, 0xff, 0x0a])
    const headers = [
      { name: 'raw', value: base64(bytes) },
      { name: 'twice', value: base64('1') },
      { name: 'twice', value: null },
      { name: 'nul\0', value: '' },
    ]
    const written = letter({ key: base64(bytes), headers, offset: 2 ** 40 }, { value: base64(bytes), attempts: 3 })
    await publishLetters(kafka(), [written])
    const [row] = await untilRows(1)
    expect(row).toEqual({
      dead_letter_id: expect.stringMatching(/^dlt_[0-9a-f]{32}$/),
      service: 'evaluator',
      stage: 'evaluate',
      source_topic: 'alerts.new',
      source_partition: 3,
      source_offset: 2 ** 40,
      source_timestamp: new Date('2026-01-02T03:04:05.000Z'),
      key: bytes,
      value: bytes,
      value_omitted: false,
      headers,
      error_code: 'not_json',
      message: 'unexpected end',
      attempts: 3,
      first_failed_at: new Date('2026-01-02T03:04:05.000Z'),
      last_failed_at: new Date('2026-01-02T03:04:06.000Z'),
      state: 'waiting',
      settled_at: null,
      settled_by: null,
    })
  })

  it('a letter without value, one without key and one whose value was omitted', async () => {
    await publishLetters(kafka(), [
      letter({ offset: 1 }, { value: null }),
      letter({ offset: 2, key: null, timestamp: null }, { value: '' }),
      letter({ offset: 3, key: null }, { value: null, value_omitted: true }),
    ])
    expect(await untilRows(3)).toMatchObject([
      { key: Buffer.from('k'), value: null, value_omitted: false },
      { key: null, value: Buffer.alloc(0), source_timestamp: null, value_omitted: false },
      { key: null, value: null, value_omitted: true },
    ])
  })

  it('texts that Postgres has no place for are shown all the same, and hold nothing up', async () => {
    const bad = letter(
      { offset: 1, topic: `t\0${'x'.repeat(5_000)}` },
      {
        error: { code: `c\0${'y'.repeat(5_000)}`, message: 'at \0 and \ud83d' },
        stage: 's\0',
        attempts: 2 ** 40,
        first_failed_at: '0001-01-01T00:00:00Z',
      },
    )
    await publishLetters(kafka(), [bad, letter({ offset: 2 })])
    const [row] = await untilRows(2)
    expect(row).toMatchObject({ message: 'at \\u0000 and \ufffd', stage: 's\\u0000' })
    expect(row!.error_code).toMatch(/^c\\u0000y+$/)
  })

  it('what is no dead letter is counted and stepped over, and does not come back', async () => {
    const counted = async () => Number(/^tocsin_dead_letters_unreadable_total (\d+)$/m.exec(await metrics())![1])
    const before = await counted()
    await publishLetters(kafka(), [
      'no json',
      JSON.stringify({ ...letter(), error: undefined }),
      JSON.stringify(letter({}, { last_failed_at: '0000-01-01T00:00:00Z' })),
      JSON.stringify(letter({ timestamp: '9999-12-31T23:59:59-10:00' })),
      letter({ offset: 7 }),
    ])
    const [row] = await untilRows(1)
    expect(row!.source_offset).toBe(7)
    // The partition's order: had one of them been written to the topic again, it would come before this.
    await publishLetters(kafka(), [letter({ offset: 8 })])
    await untilRows(2)
    expect(await counted()).toBe(before + 4)
  })

  it('what was there before the first start is read, and /ready says nothing of the group', async () => {
    await using fresh = await startRuleService()
    await fresh.service.stop()
    const its = testKafka(fresh.environment.KAFKA_TOPIC_PREFIX!)
    await publishLetters(its, [letter({ offset: 1 })])
    await using again = await fresh.another()
    await eventually(async () => expect(await rowsOf(fresh.database)).toHaveLength(1))
    const { checks } = (await (await fetch(`${again.url}/ready`)).json()) as { checks: object }
    expect(Object.keys(checks).toSorted()).toEqual(['kafka', 'postgres', 'redis'])
  })

  it('while rows cannot be written, nothing is stepped over and the service goes on', async () => {
    await using fresh = await startRuleService()
    await fresh.service.running.started
    const its = testKafka(fresh.environment.KAFKA_TOPIC_PREFIX!)
    await fresh.database.query('ALTER TABLE dead_letters RENAME TO gone')
    let attempts = 0
    const broken: Queryable = {
      query: (text, values) => {
        if (text.includes('INSERT INTO dead_letters')) attempts++
        return fresh.database.query(text, values)
      },
    }
    await fresh.service.stop()
    const stop = new AbortController()
    const log = createLogger('test', 'silent')
    const mirroring = mirrorDeadLetters({ ...its, log }, broken, stop.signal)
    await publishLetters(its, [letter({ offset: 1 })])
    // Twice is what a bug gets in one try (see `consume`); the third is another try.
    await eventually(() => expect(attempts).toBeGreaterThan(2))
    await fresh.database.query('ALTER TABLE gone RENAME TO dead_letters')
    await eventually(async () => expect(await rowsOf(fresh.database)).toHaveLength(1))
    stop.abort()
    await mirroring
  })
})

describe('a record that failed more than once', () => {
  const place = { topic: 'alerts.new', partition: 1, offset: 5 }
  const at = (second: number, more: Partial<DeadLetter> = {}) =>
    letter(place, {
      attempts: 2,
      first_failed_at: `2026-01-01T00:00:0${second}.000Z`,
      last_failed_at: `2026-01-01T00:00:0${second}.500Z`,
      ...more,
    })
  const only = async () => {
    const rows = await rowsOf()
    expect(rows).toHaveLength(1)
    return rows[0]!
  }
  const upsert = (...letters: DeadLetter[]) => upsertDeadLetters(running.database, letters)

  it('is one row, with its latest failure and all attempts', async () => {
    await upsert(at(1))
    await upsert(at(2, { error: { code: 'other', message: 'now this' } }))
    expect(await only()).toMatchObject({
      attempts: 4,
      error_code: 'other',
      message: 'now this',
      first_failed_at: new Date('2026-01-01T00:00:01.000Z'),
      last_failed_at: new Date('2026-01-01T00:00:02.500Z'),
    })
  })

  it('is one row when both letters come in one batch, in either order', async () => {
    for (const letters of [
      [at(1), at(2)],
      [at(2), at(1)],
    ]) {
      await running.database.query('DELETE FROM dead_letters')
      await upsert(...letters, at(1, { stage: 'another' }))
      const rows = await rowsOf()
      expect(rows.map(row => row.stage)).toEqual(['another', 'evaluate'])
      expect(rows[1]).toMatchObject({ last_failed_at: new Date('2026-01-01T00:00:02.500Z') })
    }
  })

  it('counts no letter twice that is only read again', async () => {
    await upsert(at(2))
    await upsert(at(2), at(2))
    await upsert(at(1))
    expect(await only()).toMatchObject({ attempts: 2, last_failed_at: new Date('2026-01-01T00:00:02.500Z') })
  })

  it('waits again when it failed after its replay, and not when that letter only came late', async () => {
    await upsert(at(1))
    const { dead_letter_id: id } = await only()
    await settle(running.database, [id], { state: 'replayed', by: 'key_1' })
    await upsert(at(2)) // failed before the replay, which was just now
    expect(await only()).toMatchObject({ state: 'replayed', settled_by: 'key_1', attempts: 4 })
    const later = new Date(Date.now() + 60_000).toISOString()
    await upsert(at(3, { last_failed_at: later }))
    expect(await only()).toMatchObject({ dead_letter_id: id, state: 'waiting', settled_at: null, settled_by: null })
  })

  it('stays discarded', async () => {
    await upsert(at(1))
    await settle(running.database, [(await only()).dead_letter_id], { state: 'discarded', by: 'key_1' })
    await upsert(at(1, { last_failed_at: new Date(Date.now() + 60_000).toISOString() }))
    expect(await only()).toMatchObject({ state: 'discarded', settled_by: 'key_1', attempts: 4 })
  })
})
