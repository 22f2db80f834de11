import { zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  chunkCountFor,
  chunkOf,
  hashOfChunk,
  lineOf,
  linesOf,
  packChunk,
  textOf,
  unpackChunk,
} from '../src/snapshot-chunk.ts'

const ruleId = fc.stringMatching(/^rul_[0-9a-f]{1,32}$/)
/** Halves of surrogates, line ends and U+2028 among its texts; as a writer has it from `JSON.stringify`. */
const json = fc.jsonValue({ stringUnit: 'binary', maxDepth: 2 }).map(value => JSON.stringify({ value }))
const rules = fc.uniqueArray(fc.record({ rule_id: ruleId, json }), { selector: rule => rule.rule_id, maxLength: 20 })

describe('a chunk is read as it was written', () => {
  test('whatever is in its rules, line by line and through the bytes', async () => {
    await fc.assert(
      fc.asyncProperty(rules, async rules => {
        const text = textOf(rules.map(rule => lineOf(rule.rule_id, rule.json)))
        const { entry, packed } = await packChunk(text, rules.length)
        expect(entry).toMatchObject({ rules: rules.length, bytes: packed?.length ?? 0 })
        const read = packed === undefined ? '' : await unpackChunk(entry.hash, packed)
        expect([...linesOf(read)].map(({ rule_id, json }) => ({ rule_id, json }))).toEqual(rules)
      }),
    )
  })

  test('a digest is that of its JSON: equal for equal rules, another for any other', () => {
    const digestOf = (rule: { rule_id: string; json: string }) =>
      [...linesOf(textOf([lineOf(rule.rule_id, rule.json)]))][0]!.digest
    fc.assert(
      fc.property(ruleId, ruleId, json, json, (oneId, otherId, one, other) => {
        const first = digestOf({ rule_id: oneId, json: one })
        expect(first === digestOf({ rule_id: otherId, json: other })).toBe(one === other)
      }),
    )
  })

  test('one without rules has no bytes and no name', async () => {
    expect(await packChunk(textOf([]), 0)).toEqual({ entry: { hash: '', rules: 0, bytes: 0 }, packed: undefined })
    expect([...linesOf('')]).toEqual([])
  })
})

describe('a chunk that is not what was written is refused', () => {
  const text = textOf([lineOf('rul_1', '{"name":"Ünïcode"}'), lineOf('rul_2', '{}')])

  test('any byte changed, any cut, and any other chunk', async () => {
    const { entry, packed } = await packChunk(text, 2)
    await fc.assert(
      fc.asyncProperty(fc.nat(packed!.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const damaged = Buffer.from(packed!)
        damaged[at]! ^= change
        // A bit of the frame's header that means nothing to the reader may be changed, and then all of the rules are there.
        const read = await unpackChunk(entry.hash, damaged).catch(error => error)
        if (read !== text) expect(read).toMatchObject({ code: 'bad_snapshot', retryable: true })
        await expect(unpackChunk(entry.hash, packed!.subarray(0, at))).rejects.toMatchObject({ code: 'bad_snapshot' })
      }),
    )
    const other = await packChunk(textOf([lineOf('rul_1', '{}')]), 1)
    await expect(unpackChunk(entry.hash, other.packed!)).rejects.toThrow('is not what was written')
  })

  test('bytes that are no text are not taken for the text that they look like', async () => {
    const broken = Buffer.from([0xff, 0x0a])
    const looksLike = hashOfChunk(broken.toString())
    await expect(unpackChunk(looksLike, zstdCompressSync(broken))).rejects.toMatchObject({ code: 'bad_snapshot' })
  })

  test('a few bytes that unpack to very many', async () => {
    const bomb = zstdCompressSync(Buffer.alloc(257 * 1_048_576))
    expect(bomb.length).toBeLessThan(100_000)
    await expect(unpackChunk('any', bomb)).rejects.toMatchObject({ code: 'bad_snapshot', retryable: true })
  })

  test.each([
    ['no line end', lineOf('rul_1', '{}')],
    ['no digest', 'rul_1 {}\n'],
    ['no JSON', 'rul_1 abcdefghijk\n'],
    ['a digest of another length', 'rul_1 abcdefghijkl {}\n'],
    ['an empty line', `\n${lineOf('rul_1', '{}')}\n`],
    ['a line of one word before a good one', `rul_0\n${lineOf('rul_1', '{}')}\n`],
  ])('a line that is no rule: %s', (_, strange) => {
    expect(() => [...linesOf(strange)]).toThrow(expect.objectContaining({ code: 'bad_snapshot' }))
  })
})

describe('into how many chunks', () => {
  const ruleCount = fc.nat(10_000_000)

  test('about twice the root of the number of rules, a power of two', () => {
    expect([0, 1, 2, 100, 10_000, 100_000, 1_000_000].map(rules => chunkCountFor(rules))).toEqual([
      2, 2, 4, 16, 256, 512, 2_048,
    ])
    fc.assert(
      fc.property(ruleCount, rules => {
        const count = chunkCountFor(rules)
        expect(Number.isInteger(Math.log2(count))).toBe(true)
        expect(Math.abs(Math.log2(count) - Math.log2(2 * Math.sqrt(Math.max(rules, 1))))).toBeLessThanOrEqual(
          0.5 + 1e-9,
        )
      }),
    )
  })

  test('the number stays while it is within a factor of two of that, and a changed one stays too', () => {
    fc.assert(
      fc.property(ruleCount, ruleCount, (before, now) => {
        const current = chunkCountFor(before)
        const ideal = 2 * Math.sqrt(Math.max(now, 1))
        const next = chunkCountFor(now, current)
        if (ideal > current / 1.99 && ideal < current * 1.99) expect(next).toBe(current)
        if (ideal < current / 2.01 || ideal > current * 2.01) expect(next).toBe(chunkCountFor(now))
        expect(chunkCountFor(now, next)).toBe(next)
      }),
    )
  })

  test('a rule is always in the same one of them, and they are about equally large', () => {
    const ids = Array.from({ length: 100_000 }, (_, n) => `rul_${(1_763_740_000_000 + n).toString(16)}${n * 7919}`)
    const sizes = Array<number>(256).fill(0)
    for (const id of ids) sizes[chunkOf(id, 256)]!++
    expect(Math.min(...sizes)).toBeGreaterThan(390 / 1.5)
    expect(Math.max(...sizes)).toBeLessThan(390 * 1.5)
    expect(ids.slice(0, 1_000).map(id => chunkOf(id, 256))).toEqual(ids.slice(0, 1_000).map(id => chunkOf(id, 256)))
    expect(new Set(ids.map(id => chunkOf(id, 1)))).toEqual(new Set([0]))
  })
})
