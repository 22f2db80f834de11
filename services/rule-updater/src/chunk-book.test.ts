import { chunkOf, lineOf, linesOf } from '@tocsin/redis/snapshot-chunk'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ChunkBook } from './chunk-book.ts'
import type { PresentRule } from './rules-table.ts'

const bookOf = (rules: ReadonlyMap<string, string>, count?: number) =>
  ChunkBook.of(
    Array.from(rules, ([rule_id, json]) => `${rule_id} ${json}`),
    rules.size,
    count,
  )

const contents = (book: ChunkBook) => Array.from({ length: book.chunkCount }, (_, chunk) => book.textAt(chunk))

const ids = fc.constantFrom('rul_1', 'rul_10', 'rul_2', 'rul_é', 'rul_🙂', '!', 'rul_1_', 'r', 'rul')
const jsons = fc.constantFrom('{"a":1}', '{"a":2}', '{"name":"a b"}', undefined)
const changes = fc.array(fc.record({ rule_id: ids, json: jsons }), { maxLength: 30 })

test('however changes come, the book is as if it were made of the rules that are left', async () => {
  const property = fc.asyncProperty(
    fc.array(changes, { maxLength: 4 }),
    fc.constantFrom(1, 2, 4),
    async (some, count) => {
      const rules = new Map<string, string>()
      const book = await bookOf(rules, count)
      for (const batch of some) {
        await book.apply(batch.map(({ rule_id, json }) => ({ rule_id, text: json && `${rule_id} ${json}` })))
        for (const { rule_id, json } of batch) {
          if (json === undefined) rules.delete(rule_id)
          else rules.set(rule_id, json)
        }
      }
      expect(contents(await book.resized())).toEqual(contents(await bookOf(rules, book.chunkCount)))
      expect(book.rules).toBe(rules.size)
      for (const [rule_id, json] of rules) expect(book.has(rule_id, `${rule_id} ${json}`)).toBe(true)
      expect(book.has('rul_1', 'rul_1 {"a":3}')).toBe(false)
    },
  )
  await fc.assert(property, { numRuns: 300 })
})

test('only chunks that are different now have changed', async () => {
  const rules = numbered(1_000)
  const book = await ChunkBook.of(rules.map(textFor), rules.length, undefined)
  expect(book.takeChanged()).toHaveLength(book.chunkCount)
  expect(book.takeChanged()).toEqual([])

  await book.apply(rules)
  await book.apply([{ rule_id: 'not there', text: undefined }])
  expect(book.takeChanged()).toEqual([])

  await book.apply([{ rule_id: 'rul_7', text: 'rul_7 {}' }])
  expect(book.takeChanged()).toEqual([chunkOf('rul_7', book.chunkCount)])
})

test('each rule is in the chunk of its id, in the order of ids', async () => {
  const rules = numbered(500)
  const book = await ChunkBook.of(rules.map(textFor), rules.length, undefined)
  let found = 0
  for (let chunk = 0; chunk < book.chunkCount; chunk++) {
    const lines = [...linesOf(book.textAt(chunk))]
    const inChunk = lines.map(line => line.rule_id)
    for (const { rule_id, digest, json } of lines) expect(lineOf(rule_id, json)).toBe(`${rule_id} ${digest} ${json}`)
    expect(inChunk).toEqual(book.idsAt(chunk))
    expect(inChunk).toEqual(inChunk.toSorted())
    expect(inChunk.every(id => chunkOf(id, book.chunkCount) === chunk)).toBe(true)
    expect(book.rulesAt(chunk)).toBe(inChunk.length)
    found += inChunk.length
  }
  expect(found).toBe(500)
})

test('the number of chunks stays while it is off by no more than a factor of two', async () => {
  const some = numbered(4_000)
  const book = await ChunkBook.of(some.slice(0, 256).map(textFor), 256, undefined)
  expect(book.chunkCount).toBe(32)
  await book.apply(some.slice(0, 1_000))
  expect(await book.resized()).toBe(book)
  await book.apply(some)
  const larger = await book.resized()
  expect(larger.chunkCount).toBe(128)
  expect(larger.rules).toBe(4_000)
  expect(larger.takeChanged()).toHaveLength(128)
  await larger.apply(some.slice(100).map(({ rule_id }) => ({ rule_id, text: undefined })))
  expect((await larger.resized()).chunkCount).toBe(16)
})

const numbered = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ rule_id: `rul_${index}`, text: `rul_${index} {"n":${index}}` }))
const textFor = ({ text }: PresentRule) => text!
