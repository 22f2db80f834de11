import { heartbeat } from '@tocsin/redis/evaluator-registry'
import { readManifest } from '@tocsin/redis/snapshot-store'
import { describe, expect } from 'vitest'
import { begunTerm, editRules, insertRules, never, rulesIn, test } from './private-places.ts'

describe('a number too large to be a version or a token counts as none', () => {
  test.for([
    ['version', '9007199254740990'],
    ['version', '99999999999999999999'],
    ['token', '9007199254740990'],
    ['token', '99999999999999999999'],
  ] as const)('%s %s in Redis', async ([field, number], { places }) => {
    const { database, redis, prefix } = places
    await insertRules(database, ['rul_1'])
    const term = await begunTerm(places)
    await redis.hset(`${prefix}snapshot:current`, field, number)
    await editRules(database, ['rul_1'])
    await term.turn(never)
    expect(await rulesIn(places)).toEqual(['rul_1@2'])
    const next = await begunTerm(places)
    expect(next.published!.version).toBeLessThan(10)
    expect(next.published!.token).toBeLessThan(10)
    expect(await readManifest(redis, prefix)).toEqual(next.published)
    expect(await redis.hmget(`${prefix}snapshot:current`, 'version', 'token')).toEqual([
      String(next.published!.version),
      String(next.published!.token),
    ])
  })

  test.for(['version', 'token'])('the %s of the manifest', async (field, { places }) => {
    const { redis, prefix } = places
    await insertRules(places.database, ['rul_1'])
    const term = await begunTerm(places)
    const text = JSON.stringify({ ...term.published, [field]: 9_007_199_254_740_990 })
    await redis.hset(`${prefix}snapshot:current`, 'manifest', text)
    await term.check(never)
    expect(await rulesIn(places)).toEqual(['rul_1@1'])
    expect(term.published!.version).toBeLessThan(10)
    expect((await begunTerm(places)).published!.token).toBeLessThan(10)
  })

  test.for([9_007_199_254_740_990, 1e20])('%d in a heartbeat', async (version, { places }) => {
    const { database, redis, prefix } = places
    await insertRules(database, ['rul_1'])
    const term = await begunTerm(places)
    const since = new Date().toISOString()
    await heartbeat(redis, prefix, { evaluator_id: 'odd', snapshot_version: version, since })
    await term.check(never)
    const next = await begunTerm(places)
    await editRules(database, ['rul_1'])
    await next.turn(never)
    expect(await readManifest(redis, prefix)).toMatchObject({ version: 3, token: 2 })
    expect(await rulesIn(places)).toEqual(['rul_1@2'])
  })
})
