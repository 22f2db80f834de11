import { readManifest } from '@tocsin/redis/snapshot-store'
import { eventually } from '@tocsin/testkit/eventually'
import { expect } from 'vitest'
import { flush, insertRules, numbered, readSnapshot, upToDate } from './private-places.ts'
import { test } from './running-updater.ts'

test('without a single rule there is a snapshot, and the service is ready', async ({ startUpdater, redis, prefix }) => {
  await startUpdater().untilReady()
  expect(await readSnapshot(redis, prefix)).toMatchObject({ manifest: { rules: 0 }, rules: [] })
})

test('a thousand changes that arrive together make a few snapshots, not a thousand', async ({
  startUpdater,
  announce,
  database,
  redis,
  prefix,
}) => {
  await startUpdater().untilReady()
  const before = (await readManifest(redis, prefix))!.version
  const ids = numbered(1_000)
  for (let from = 0; from < 1_000; from += 20) await insertRules(database, ids.slice(from, from + 20))
  await announce(...ids)
  await upToDate(database, redis, prefix)
  // It looks every 250 ms while they are written.
  expect((await readManifest(redis, prefix))!.version - before).toBeLessThan(30)
})

test('a flushed Redis is filled again within seconds, under a higher version', async ({
  startUpdater,
  database,
  redis,
  prefix,
}) => {
  await insertRules(database, ['rul_1'])
  await startUpdater().untilReady()
  const before = (await readManifest(redis, prefix))!.version
  await flush(redis, prefix)
  await upToDate(database, redis, prefix)
  expect((await readManifest(redis, prefix))!.version).toBeGreaterThan(before)
})

test('of two updaters one leads; when it stops, the other one does', async ({
  startUpdater,
  database,
  redis,
  prefix,
}) => {
  const first = startUpdater()
  await first.untilReady()
  const { token } = (await readManifest(redis, prefix))!
  const second = startUpdater()
  await second.untilReady()
  await insertRules(database, ['rul_1'])
  await upToDate(database, redis, prefix)
  expect((await readManifest(redis, prefix))!.token).toBe(token)

  await first.stop()
  await insertRules(database, ['rul_2'])
  await upToDate(database, redis, prefix)
  expect((await readManifest(redis, prefix))!.token).toBe(token + 1)
  await second.untilReady()
})

test('a rebuild that was asked for is done', async ({ startUpdater, database, redis, prefix }) => {
  await insertRules(database, numbered(30))
  await startUpdater().untilReady()
  const before = (await readManifest(redis, prefix))!.version
  await database.query('UPDATE snapshot_lease SET rebuilds_wanted = rebuilds_wanted + 1')
  await eventually(async () => {
    const { rows } = await database.query('SELECT rebuilds_done, last_reconcile FROM snapshot_lease')
    expect(rows).toMatchObject([{ rebuilds_done: 1, last_reconcile: { rules: 30, drift: 0 } }])
  })
  expect((await readManifest(redis, prefix))!.version).toBe(before + 1)
})
