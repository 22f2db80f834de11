import { chunkOf, lineOf, textOf, unpackChunk } from '@tocsin/redis/snapshot-chunk'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ChunkBook } from './chunk-book.ts'
import type { PresentRule } from './rules-table.ts'

const contents = (book: ChunkBook) =>
  Promise.all(
    book.chunks.map(async ({ entry, packed }) => {
      const text = packed === undefined ? '' : await unpackChunk(entry.hash, packed)
      expect(entry).toMatchObject({ rules: text.split('\n').length - 1, bytes: packed?.length ?? 0 })
      return text
    }),
  )

/** As a book is made at the beginning of a term. */
async function bookOf(rules: readonly PresentRule[]): Promise<ChunkBook> {
  const book = ChunkBook.empty()
  book.apply(rules)
  await book.settle()
  return book
}

const expectedContents = (rules: ReadonlyMap<string, string>, chunkCount: number) =>
  Array.from({ length: chunkCount }, (_, at) => {
    const inChunk = [...rules.keys()].filter(rule_id => chunkOf(rule_id, chunkCount) === at)
    return textOf(inChunk.sort().map(rule_id => lineOf(rule_id, rules.get(rule_id)!)))
  })

const rulesOf = (book: ChunkBook) => book.chunks.reduce((sum, { entry }) => sum + entry.rules, 0)

const ids = fc.constantFrom('rul_1', 'rul_10', 'rul_2', 'rul_é', 'rul_🙂', '!', 'rul_1_', 'r', 'rul')
const jsons = fc.constantFrom('{"a":1}', '{"a":2}', '{"name":"a b"}', undefined)
const changes = fc.array(fc.record({ rule_id: ids, json: jsons }), { maxLength: 30 })

test('however changes come, the chunks hold the rules that are left, each in its chunk, in the order of ids', async () => {
  const property = fc.asyncProperty(
    fc.array(fc.array(changes, { maxLength: 3 }), { maxLength: 4 }),
    fc.constantFrom(1, 2, 4, 64),
    async (some, count) => {
      const rules = new Map<string, string>()
      const book = ChunkBook.empty(count)
      for (const pages of some) {
        for (const page of pages) {
          book.apply(page)
          for (const { rule_id, json } of page) {
            if (json === undefined) rules.delete(rule_id)
            else rules.set(rule_id, json)
          }
        }
        expect(await book.settle()).toBe(book.chunks)
      }
      expect(await contents(book)).toEqual(expectedContents(rules, book.chunks.length))
      expect(rulesOf(book)).toBe(rules.size)
    },
  )
  await fc.assert(property, { numRuns: 300 })
})

test('only chunks that are different now have changed, and those that somebody holds do not', async () => {
  const rules = numbered(1_000)
  const book = await bookOf(rules)
  const before = [...book.chunks]
  const hashes = before.map(chunk => chunk.entry.hash)

  book.apply([...rules, { rule_id: 'not there', json: undefined }])
  await book.settle()
  expect(book.chunks.map(chunk => chunk.entry.hash)).toEqual(hashes)

  book.apply([{ rule_id: 'rul_7', json: '{}' }])
  expect(book.chunks.map(chunk => chunk.entry.hash)).toEqual(hashes)
  await book.settle()
  const changed = book.chunks.flatMap((chunk, at) => (chunk.entry.hash === hashes[at] ? [] : [at]))
  expect(changed).toEqual([chunkOf('rul_7', book.chunks.length)])
  expect(before.map(chunk => chunk.entry.hash)).toEqual(hashes)
})

test('the number of chunks stays while it is off by no more than a factor of two', async () => {
  const some = numbered(4_000)
  const book = await bookOf(some.slice(0, 256))
  expect(book.chunks).toHaveLength(32)
  book.apply(some.slice(0, 700))
  await book.settle()
  expect(book.chunks).toHaveLength(32)
  book.apply(some)
  await book.settle()
  expect(book.chunks).toHaveLength(128)
  expect(rulesOf(book)).toBe(4_000)
  book.apply(some.slice(100).map(({ rule_id }) => ({ rule_id, json: undefined })))
  await book.settle()
  expect(rulesOf(book)).toBe(100)
  book.apply(some.slice(0, 1))
  await book.settle()
  expect(book.chunks).toHaveLength(16)
})

const numbered = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ rule_id: `rul_${index}`, json: `{"n":${index}}` }))
