import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Manifest } from '@tocsin/contracts/snapshot'
import { packChunk } from '@tocsin/redis/snapshot-chunk'
import { restoreChunks } from '@tocsin/redis/snapshot-store'
import fc from 'fast-check'
import { expect } from 'vitest'
import type { IncomingAlert } from '../src/decode-alert.ts'
import { evaluate } from '../src/evaluate.ts'
import type { LiveRules } from '../src/live-rules.ts'
import { oneByOne } from './evaluator-fixture.ts'
import { chunkKey, flush, newsOf, publishSnapshot } from './publish-snapshot.ts'
import { anyAlert, anyRule, eachTakesLong, type Line, linesOfRules, liveRulesOf, textsOf } from './rules-in-chunks.ts'
import { log, metric, startCache, test } from './snapshot-fixture.ts'

const clause = fc.oneof(
  fc.record({
    fact: fc.constant('severity'),
    operator: fc.constantFrom('equal', 'notEqual'),
    value: fc.constantFrom('HIGH', 'LOW'),
  }),
  fc.record({
    fact: fc.constant('source'),
    operator: fc.constantFrom('equal', 'startsWith'),
    value: fc.constantFrom('a', 'api', 'db'),
  }),
  fc.record({
    fact: fc.constant('context'),
    path: fc.constant('$.load'),
    operator: fc.constantFrom('greaterThan', 'lessThan'),
    value: fc.integer({ min: 0, max: 5 }),
  }),
)

const ruleBody = fc.record({
  team_id: fc.constantFrom('payments', 'search', 'ops'),
  name: fc.constantFrom('disk', 'Ünïcode ✓'),
  version: fc.integer({ min: 1, max: 3 }),
  endpoint_ids: fc.constantFrom([], ['end_1']),
  notify_resolved: fc.boolean(),
  conditions: fc.oneof(
    fc.record({ all: fc.array(clause, { maxLength: 3 }) }),
    fc.record({ any: fc.array(clause, { minLength: 1, maxLength: 3 }) }),
  ),
})
/** Now and then one that nobody can read: cut off, of another shape, or with an operator of tomorrow. */
const body = fc.oneof(
  { weight: 12, arbitrary: ruleBody.map(rule => (rule_id: string) => JSON.stringify({ rule_id, ...rule })) },
  { weight: 1, arbitrary: fc.constant(() => '{"rule_id":') },
  { weight: 1, arbitrary: fc.constant((rule_id: string) => JSON.stringify({ rule_id, team_id: 7 })) },
  {
    weight: 1,
    arbitrary: ruleBody.map(
      rule => (rule_id: string) =>
        JSON.stringify({ rule_id, ...rule, conditions: { all: [{ fact: 'x', operator: 'tomorrow', value: 1 }] } }),
    ),
  },
)

const step = fc.record({
  /** What is done to the rules of before: a body is put, nothing is a delete. */
  edits: fc.array(fc.tuple(fc.integer({ min: 0, max: 24 }), fc.option(body, { freq: 3, nil: undefined })), {
    maxLength: 12,
  }),
  chunkCount: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, fc.constantFrom(1, 2, 4, 8)),
  told: fc.constantFrom('all', 'all', 'too late', 'nothing'),
  fault: fc.constantFrom('none', 'none', 'a chunk is gone', 'a chunk is damaged', 'flushed'),
})

const [always] = linesOfRules([anyRule('rul_always', { team_id: 'always', conditions: { all: [] } })])

const alerts: IncomingAlert[] = ['HIGH', 'LOW'].flatMap(severity =>
  ['api', 'a', 'db'].flatMap(source =>
    [0, 3, 9].map(load => ({
      alert: {
        ...anyAlert,
        alert_id: `${severity} ${source} ${load}`,
        severity: severity as 'HIGH',
        source,
        context: { load },
        status: load === 3 ? 'resolved' : 'firing',
      },
      headers: {},
    })),
  ),
)

/** Everything that is told of the alerts, with the version it is told under. */
function outcomeOf(rules: LiveRules): string[] {
  return evaluate(rules, alerts, new Date(0))
    .flatMap(({ value }) => oneByOne(value))
    .map(({ team_id, alert, rules, snapshot_version }) => {
      const texts = rules.map(rule => JSON.stringify(rule)).sort()
      return `${snapshot_version} ${team_id} ${alert.alert_id} ${texts}`
    })
    .sort()
}

test('told, in place or beside, through any faults: each batch is matched as by rules made afresh of one snapshot', async ({
  redis,
  prefix,
}) => {
  eachTakesLong() // so batches come after each rule that is prepared
  const before = { told: await swaps('told'), inPlace: await swaps('in place'), beside: await swaps('beside') }
  const corrected = await metric('tocsin_evaluator_corrected_rules_total')
  let batches = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 8 }),
      fc.constantFrom(0, 600, 1_000_000),
      async (steps, inPlaceTextMax) => {
        await flush(redis, prefix)
        const { cache, stop } = startCache({ redis, prefix, log, inPlaceTextMax })
        const expected = new Map<number, string[]>()
        const lines = new Map([always!])
        let chunkCount = 2
        let last: Manifest | undefined
        const matchBatch = () => {
          if (cache.current === undefined) return
          batches++
          expect(outcomeOf(cache.current)).toEqual(expected.get(cache.current.version))
        }
        for (const [index, { edits, told, fault, ...own }] of steps.entries()) {
          const version = index + 1
          chunkCount = own.chunkCount ?? chunkCount
          for (const [number, body] of edits) {
            const id = `rul_${number}`
            if (body === undefined) lines.delete(id)
            else lines.set(id, body(id))
          }
          expected.set(version, outcomeOf(await liveRulesOf([...lines], { version })))
          const manifest = await publishSnapshot(redis, prefix, [...lines], { version, chunkCount })
          const edited = new Set(edits.map(([number]) => `rul_${number}`))
          const rules = Array.from(edited, rule_id => ({ rule_id, json: lines.get(rule_id) }))
          const news = last && newsOf(rules)(manifest, last)
          last = manifest
          if (told === 'all') cache.wake(news)
          await harm(fault, manifest)
          for (let turn = 0; turn < 5 && fault !== 'none'; turn++) {
            cache.wake()
            await redis.ping()
            matchBatch()
          }
          if (fault === 'flushed') await publishSnapshot(redis, prefix, [...lines], { version, chunkCount })
          else if (fault !== 'none') await restoreChunks(redis, prefix, await chunksOf([...lines], chunkCount))
          while (cache.current?.version !== version) {
            cache.wake()
            await nextTurn()
            matchBatch()
          }
          if (told === 'too late') cache.wake(news)
          matchBatch()
        }
        await stop()
      },
    ),
    { numRuns: 60 },
  )
  expect(batches).toBeGreaterThan(500)
  expect((await swaps('told')) - before.told).toBeGreaterThan(20)
  expect(await metric('tocsin_evaluator_corrected_rules_total')).toBe(corrected)
  expect((await swaps('in place')) - before.inPlace).toBeGreaterThan(20)
  expect((await swaps('beside')) - before.beside).toBeGreaterThan(60)

  async function harm(fault: string, manifest: Manifest): Promise<void> {
    if (fault === 'flushed') await flush(redis, prefix)
    const named = manifest.chunks.find(chunk => chunk.hash !== '')!
    if (fault === 'a chunk is gone') await redis.del(chunkKey(prefix, named.hash))
    if (fault === 'a chunk is damaged') await redis.set(chunkKey(prefix, named.hash), 'damaged')
  }
})

const swaps = (how: string) => metric('tocsin_evaluator_swaps_total', { how })
const chunksOf = (lines: readonly Line[], chunkCount: number) =>
  Promise.all(textsOf(lines, chunkCount).map(text => packChunk(text, 0)))
