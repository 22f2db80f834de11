import { createLogger } from '@tocsin/runtime/logger'
import { metrics } from '@tocsin/runtime/metrics'
import { eventually } from '@tocsin/testkit/eventually'
import { test } from '@tocsin/testkit/test'
import { expect, onTestFinished } from 'vitest'
import { upsertDeadLetters } from '../src/dead-letters-store.ts'
import { runUpkeep } from '../src/dead-letters-upkeep.ts'
import { letter } from './letters.ts'

const failed = (code: string) => letter({}, { error: { code, message: 'x' } })
const waiting = async () =>
  (await metrics.getMetricsAsJSON())
    .filter(({ name }) => name === 'tocsin_dead_letters_waiting')
    .flatMap(({ values }) => values.map(({ labels, value }) => [labels.error_code, value]))
    .toSorted()

test('what waits is counted by error code; what was settled 30 days ago is deleted, and nothing that waits', async ({
  database,
}) => {
  const codes = ['one', 'one', 'two', 'replayed', 'discarded', 'lately'] as const
  await upsertDeadLetters(database, codes.map(failed))
  await database.query(`UPDATE dead_letters SET first_failed_at = '2020-01-01', last_failed_at = '2020-01-01'`)
  await database.query(
    `UPDATE dead_letters SET state = CASE error_code WHEN 'replayed' THEN 'replayed' ELSE 'discarded' END, settled_by = 'key_1',
       settled_at = now() - CASE error_code WHEN 'lately' THEN interval '29 days' ELSE interval '31 days' END
     WHERE error_code NOT IN ('one', 'two')`,
  )
  // Away at first: no reason to end.
  await database.query('ALTER TABLE dead_letters RENAME TO gone')
  const stop = new AbortController()
  const log = createLogger('test', 'silent')
  const running = runUpkeep(database, { log, stopping: stop.signal, everyMs: 20 })
  onTestFinished(async () => {
    stop.abort()
    await running
  })
  await new Promise(resolve => setTimeout(resolve, 100))
  await database.query('ALTER TABLE gone RENAME TO dead_letters')
  await eventually(async () =>
    expect(await waiting()).toEqual([
      ['one', 2],
      ['two', 1],
    ]),
  )
  await eventually(async () => {
    const { rows } = await database.query<{ error_code: string }>('SELECT error_code FROM dead_letters')
    expect(rows.map(row => row.error_code).toSorted()).toEqual(['lately', 'one', 'one', 'two'])
  })
  await database.query(`UPDATE dead_letters SET state = 'discarded', settled_at = now() WHERE error_code = 'two'`)
  await eventually(async () => expect(await waiting()).toEqual([['one', 2]]))
})
