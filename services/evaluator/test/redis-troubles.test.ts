import { setTimeout as sleep } from 'node:timers/promises'
import { readEvaluators } from '@tocsin/redis/evaluator-registry'
import { eventually } from '@tocsin/testkit/eventually'
import { startGate, targetOf } from '@tocsin/testkit/gate'
import { testServers } from '@tocsin/testkit/servers'
import { expect } from 'vitest'
import { alert, matchOf, test } from './evaluator-fixture.ts'
import { chunkKey, flush } from './publish-snapshot.ts'
import { anyRule } from './rules-in-chunks.ts'

test('while Redis is away alerts are matched with the rules in memory; what is published then is taken on its return', async ({
  startEvaluator,
  publishRules,
  publishAlerts,
  matched,
}) => {
  await using gate = await startGate(targetOf(testServers().redisUrl))
  const evaluator = startEvaluator({ REDIS_URL: `redis://${gate.host}:${gate.port}` })
  await eventually(async () => expect(Object.keys(await evaluator.unready())).toContain('redis'))
  await gate.open()
  await publishRules(1, [anyRule('rul_1')])
  await evaluator.untilReady()

  await gate.close()
  await eventually(async () => expect(Object.keys(await evaluator.unready())).toEqual(['redis']))
  await publishRules(2, [anyRule('rul_2')])
  await publishAlerts(alert('meanwhile'))
  expect(await matchOf(matched, 'meanwhile')).toMatchObject({ snapshot_version: 1, rules: [{ rule_id: 'rul_1' }] })

  await gate.open()
  await evaluator.untilReady()
  await eventually(async () => {
    const id = `after-${Math.random()}`
    await publishAlerts(alert(id))
    expect((await matchOf(matched, id)).snapshot_version).toBe(2)
  })
})

test('a flushed Redis changes nothing, and an evaluator is registered again within seconds', async ({
  startEvaluator,
  publishRules,
  publishAlerts,
  redis,
  prefix,
  matched,
}) => {
  await publishRules(1, [anyRule('rul_1')])
  const evaluator = startEvaluator()
  await evaluator.untilReady()
  await flush(redis, prefix)
  await eventually(async () => expect(await readEvaluators(redis, prefix)).toHaveLength(1), { withinMs: 3_000 })
  await publishAlerts(alert('a1'))
  expect(await matchOf(matched, 'a1')).toMatchObject({ snapshot_version: 1 })
  expect(await evaluator.unready()).toEqual({})
})

test('a damaged snapshot is not taken: the last good one stays, and the next good one is', async ({
  startEvaluator,
  publishRules,
  publishAlerts,
  redis,
  prefix,
  matched,
}) => {
  await publishRules(1, [anyRule('rul_1')])
  const evaluator = startEvaluator()
  await evaluator.untilReady()
  const { chunks } = await publishRules(2, [anyRule('rul_2')])
  await redis.set(chunkKey(prefix, chunks.find(chunk => chunk.rules > 0)!.hash), 'damaged')
  await sleep(200)
  await publishAlerts(alert('a1'))
  expect(await matchOf(matched, 'a1')).toMatchObject({ snapshot_version: 1, rules: [{ rule_id: 'rul_1' }] })

  await publishRules(3, [anyRule('rul_3')])
  await eventually(async () => expect(await versions(redis, prefix)).toEqual([3]))
  await publishAlerts(alert('a2'))
  expect(await matchOf(matched, 'a2')).toMatchObject({ snapshot_version: 3, rules: [{ rule_id: 'rul_3' }] })
})

test('it never goes back to an older version, as a restored Redis shows it', async ({
  startEvaluator,
  publishRules,
  publishAlerts,
  redis,
  prefix,
  matched,
}) => {
  await publishRules(7, [anyRule('rul_7')])
  await startEvaluator().untilReady()
  await flush(redis, prefix)
  await publishRules(6, [anyRule('rul_6')])
  await sleep(200)
  await publishAlerts(alert('a1'))
  expect(await matchOf(matched, 'a1')).toMatchObject({ snapshot_version: 7, rules: [{ rule_id: 'rul_7' }] })
})

test('the registry knows its version right after a swap, and forgets it when it stops', async ({
  startEvaluator,
  publishRules,
  redis,
  prefix,
}) => {
  const evaluator = startEvaluator()
  await evaluator.started
  expect(await readEvaluators(redis, prefix)).toEqual([])
  await publishRules(1, [])
  await eventually(async () => expect(await versions(redis, prefix)).toEqual([1]))
  await publishRules(2, [])
  await eventually(async () => expect(await versions(redis, prefix)).toEqual([2]))
  await evaluator.untilReady()

  await evaluator.stop()
  expect(await readEvaluators(redis, prefix)).toEqual([])
})

test('the registry knows which rules it cannot use, as of a rule-service that is newer', async ({
  startEvaluator,
  publishRules,
  redis,
  prefix,
}) => {
  const ofTomorrow = { all: [{ fact: 'severity', operator: 'of tomorrow', value: 'HIGH' }] }
  await publishRules(1, [anyRule('rul_1'), anyRule('rul_2', { conditions: ofTomorrow })])
  await startEvaluator().untilReady()
  const refused = { rules: 1, rule_ids: ['rul_2'] }
  await eventually(async () =>
    expect(await readEvaluators(redis, prefix)).toMatchObject([{ snapshot_version: 1, refused }]),
  )
  await publishRules(2, [anyRule('rul_1'), anyRule('rul_2')])
  await eventually(async () => expect(await versions(redis, prefix)).toEqual([2]))
  expect((await readEvaluators(redis, prefix))[0]).not.toHaveProperty('refused')
})

async function versions(redis: Parameters<typeof readEvaluators>[0], prefix: string): Promise<number[]> {
  return (await readEvaluators(redis, prefix)).map(evaluator => evaluator.snapshot_version)
}
