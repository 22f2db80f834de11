import { readManifest } from '@tocsin/redis/snapshot-store'
import { eventually } from '@tocsin/testkit/eventually'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { testServers } from '@tocsin/testkit/servers'
import { expect } from 'vitest'
import { flush, insertRules, upToDate } from './private-places.ts'
import { test } from './running-updater.ts'

test('while Redis is away it is not ready and says why; restarted empty, it gets everything that changed meanwhile', async ({
  startUpdater,
  announce,
  database,
  redis,
  prefix,
}) => {
  await using gate = await startGate(targetOf(testServers().redisUrl))
  const updater = startUpdater({ REDIS_URL: `redis://${gate.host}:${gate.port}` })
  await eventually(async () => expect(await updater.unready()).toMatchObject({ redis: expect.anything() }))
  await insertRules(database, ['rul_1'])
  await gate.open()
  await updater.untilReady()
  await upToDate(database, redis, prefix)

  await gate.close()
  await insertRules(database, ['rul_2'])
  await announce('rul_2')
  await eventually(async () => {
    expect(Object.keys(await updater.unready())).toEqual(expect.arrayContaining(['redis', 'snapshot']))
  })
  // It comes back empty.
  const before = (await readManifest(redis, prefix))!.version
  await flush(redis, prefix)
  await gate.open()
  await upToDate(database, redis, prefix)
  expect((await readManifest(redis, prefix))!.version).toBeGreaterThan(before)
  await updater.untilReady()
})

test('a Postgres that comes late, and one that goes away, is waited for', async ({
  startUpdater,
  database,
  redis,
  prefix,
}) => {
  const { host, port } = targetOf(database.url)
  await using gate = await startGate({ host, port })
  const url = new URL(database.url)
  url.host = `${gate.host}:${gate.port}`
  const updater = startUpdater({ DATABASE_URL: url.href })
  await eventually(async () => expect(await updater.unready()).toMatchObject({ postgres: expect.anything() }))
  await gate.open()
  await updater.untilReady()

  await gate.close()
  await insertRules(database, ['rul_1'])
  await eventually(async () => expect(await updater.unready()).toMatchObject({ postgres: expect.anything() }))
  await gate.open()
  await upToDate(database, redis, prefix)
})

test('a Postgres that answers nothing more holds up nobody for longer than a lease', async ({
  startUpdater,
  database,
  redis,
  prefix,
}) => {
  const { host, port } = targetOf(database.url)
  await using gate = await startGate({ host, port })
  await gate.open()
  const url = new URL(database.url)
  url.host = `${gate.host}:${gate.port}`
  const updater = startUpdater({ DATABASE_URL: url.href })
  await updater.untilReady()
  gate.freeze()
  // Not before a renewal has failed: it has given up its connection, and tries by another one.
  await eventually(async () => expect(await updater.unready()).toMatchObject({ snapshot: expect.anything() }), {
    withinMs: 20_000,
  })
  await gate.close()
  await insertRules(database, ['rul_1'])
  await gate.open()
  await upToDate(database, redis, prefix)
})
