import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createJudge } from './engine.ts'
import { limits } from './language.ts'
import { parsePath, readPath } from './path.ts'

/** What the engine finds at this path: the only one of these values that `equal` or `exists` holds of. */
async function engineFinds(fact: unknown, path: string): Promise<unknown> {
  const rule = { id: 'r', conditions: { all: [{ fact: 'f', path, operator: 'exists', value: true }] } }
  const [result] = await createJudge([rule]).results({ f: fact })
  const [clause] = (result as unknown as { conditions: { all: { factResult?: unknown }[] } }).conditions.all
  return clause?.factResult
}

const parts = [
  'a',
  'b',
  '0',
  '1',
  ',',
  ';',
  '^',
  '~',
  '#',
  '%',
  '@',
  '"',
  '`',
  '$',
  '*',
  ':',
  '?',
  '(',
  ')',
  ' ',
  '-',
  '/',
]
const odd = [
  ...parts,
  '\\',
  '!',
  '|',
  '{',
  '_',
  'é',
  '😀',
  '\ud800',
  'null()',
  '@%',
  '%@',
  '..',
  '__proto__',
  'length',
  '[',
]
const name = fc.string({ unit: fc.constantFrom(...odd), minLength: 1, maxLength: 4 })
const path = fc
  .array(
    fc.tuple(name, fc.boolean()).map(([one, dotted]) => (dotted ? `.${one}` : `['${one}']`)),
    { minLength: 1, maxLength: 3 },
  )
  .map(steps => `$${steps.join('')}`)

const nest = (steps: readonly string[], leaf: unknown): unknown =>
  steps.reduceRight((inner, step) => Object.fromEntries([[step, inner]]), leaf)

describe('a path', () => {
  it('finds what json-rules-engine finds, or is refused', async () => {
    await fc.assert(
      fc.asyncProperty(path, async text => {
        const parsed = parsePath(text)
        if ('problem' in parsed) return
        const { steps } = parsed
        for (const fact of [
          nest(steps, 'leaf'),
          nest(steps.slice(0, -1), {}),
          { a: 'abc', b: [1, ''] },
          ['a', { a: 1 }],
        ]) {
          expect([text, readPath(fact, steps)]).toEqual([text, await engineFinds(fact, text)])
        }
      }),
      { numRuns: 500 },
    )
  })

  it.each([
    ['$', { a: 1 }, { a: 1 }],
    ['$.a.b', { a: { b: 2 } }, 2],
    ["$['a b'][1]", { 'a b': [1, 2] }, 2],
    ["$.labels['app.kubernetes.io/name']", { labels: { 'app.kubernetes.io/name': 'web' } }, 'web'],
    ['$.a', 'a scalar fact', 'a scalar fact'],
    ['$.a', null, null],
    ['$.a', undefined, undefined],
    ['$.a.b', { a: 1 }, undefined],
    ['$.a.b', { a: null }, undefined],
    ['$.list.length', { list: [1, 2] }, 2],
    ['$.text.length', { text: 'abc' }, 3],
    ['$.text[1]', { text: 'abc' }, 'b'],
    ['$.text.length', { text: '' }, undefined],
    ['$.constructor', {}, undefined],
    ['$.toString.name', { a: 1 }, undefined],
    ['$.__proto__.x', JSON.parse('{"__proto__": {"x": 1}}'), 1],
    ['$.__proto__', {}, undefined],
  ])('%s of %j is %j', async (text, fact, expected) => {
    const parsed = parsePath(text) as { steps: string[] }
    expect(readPath(fact, parsed.steps)).toEqual(expected)
    expect(await engineFinds(fact, text)).toEqual(expected)
  })

  it.each([
    ...['', 'a', 'a.b', '$a', '$.', '$..a', '$.*', '$[*]', '$[?(@.a)]', '$[(@.length-1)]', '$[-1]', '$[0:1]', '$[0,1]'],
    ...[
      "$['']",
      "$['a','b']",
      "$['a,b']",
      "$['*']",
      "$['a~b']",
      '$.a^',
      '$.a~',
      "$['a'",
      "$['a\\'b']",
      '$["a"]',
      '$.`a',
    ],
    ...["$['$']", "$['..']", "$['1:2']", "$['@string()']", "$['a;b']", "$['a#1']", '$.a b', '$.a ', '$ .a'],
  ])('%s is refused', text => {
    expect(parsePath(text)).toHaveProperty('problem')
  })

  it('may have so many steps and no more', () => {
    expect(parsePath(`$${'.a'.repeat(limits.pathSteps)}`)).toHaveProperty('steps')
    expect(parsePath(`$${'.a'.repeat(limits.pathSteps + 1)}`)).toHaveProperty('problem')
  })
})
