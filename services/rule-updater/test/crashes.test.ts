import { readManifest } from '@tocsin/redis/snapshot-store'
import { describe, expect } from 'vitest'
import { crash, interposed } from './interposed.ts'
import { begunTerm, insertRules, never, rulesIn, setEnabled, stamps, test } from './private-places.ts'

describe('a crash at any point is repaired by the next leader', () => {
  test.for(['write', 'swap'] as const)(
    'before Redis did %s: nobody saw anything, and the changes still wait',
    async (step, { places }) => {
      let crashes = false
      const term = await begunTerm(interposed(places, step, run => (crashes ? crash() : run())))
      await insertRules(places.database, ['rul_1'])
      crashes = true
      await expect(term.turn(never)).rejects.toThrow('crash')
      expect(await readManifest(places.redis, places.prefix)).toMatchObject({ version: 1, rules: 0 })
      expect(await stamps(places.database)).toEqual({ rul_1: null })

      await begunTerm(places)
      expect(await rulesIn(places)).toEqual(['rul_1@1'])
      const { version } = (await readManifest(places.redis, places.prefix))!
      expect(await stamps(places.database)).toEqual({ rul_1: version })
    },
  )

  test('between swap and stamps: the next leader stamps', async ({ places }) => {
    let crashes = false
    const term = await begunTerm(
      interposed(places, 'swap', async run => {
        const answer = await run()
        return crashes ? crash() : answer
      }),
    )
    await insertRules(places.database, ['rul_1'])
    crashes = true
    await expect(term.turn(never)).rejects.toThrow('crash')
    expect(await rulesIn(places)).toEqual(['rul_1@1'])
    expect(await stamps(places.database)).toEqual({ rul_1: null })
    await begunTerm(places)
    expect(await stamps(places.database)).toEqual({ rul_1: 3 })
  })

  test('a leader whose swap had no answer looks what became of it', async ({ places }) => {
    let crashes = false
    const term = await begunTerm(
      interposed(places, 'swap', async run => {
        const answer = await run()
        return crashes ? crash() : answer
      }),
    )
    await insertRules(places.database, ['rul_1'])
    crashes = true
    await expect(term.turn(never)).rejects.toThrow('crash')
    crashes = false
    // Back to what was published before: the snapshot in Redis must follow, although nothing seems to have changed.
    await setEnabled(places.database, ['rul_1'], false)
    await term.turn(never)
    expect(await rulesIn(places)).toEqual([])
    expect(await stamps(places.database)).toEqual({ rul_1: 3 })
  })
})
