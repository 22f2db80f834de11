import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { alerts, conditions } from '../test/conditions.ts'
import { type ExplainedClause, type ExplainedCondition, explain } from './explain.ts'
import type { Conditions, ElementConditions } from './language.ts'
import { createMatcher } from './matcher.ts'
import { compileOperator } from './operators.ts'

const alert = JSON.parse(`{
  "severity": "HIGH",
  "context": { "host": "db-1", "hostile": { "toString": 1 }, "disks": [{ "used": 5 }, { "used": 95 }, 7] }
}`)

/** Every group follows from its members, every clause from the value that was found. */
function isConsistent(node: ExplainedCondition): boolean {
  if ('any' in node) return node.any.every(isConsistent) && node.holds === (node.any.length === 0 || some(node.any))
  if ('all' in node) return node.all.every(isConsistent) && node.holds === node.all.every(child => child.holds)
  if ('not' in node) return isConsistent(node.not) && node.holds === !node.not.holds
  if (node.nearest !== undefined) {
    const { index, conditions: nested } = node.nearest
    if (!isConsistent(nested) || nested.holds !== node.elements?.includes(index)) return false
  }
  return node.holds === compileOperator(node.operator, node.value)(node.found)
}
const some = (nodes: ExplainedCondition[]) => nodes.some(node => node.holds)

describe('explain', () => {
  it('gives the verdict of the matcher, and verdicts of the parts that add up to it', async () => {
    await fc.assert(
      fc.asyncProperty(conditions, alerts, async (rule, example) => {
        const explanation = await explain({ conditions: rule as Conditions }, example)
        const matcher = createMatcher()
        matcher.add({ id: 'r', conditions: rule })
        expect(matcher.match(example)).toEqual(explanation.matched ? ['r'] : [])
        expect(explanation.conditions.holds).toBe(explanation.matched)
        expect(isConsistent(explanation.conditions)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('says of every clause what it found and whether it holds', async () => {
    const rule: Conditions = {
      name: 'both',
      all: [
        { fact: 'severity', operator: 'equal', value: 'HIGH' },
        { any: [{ fact: 'context', path: '$.host', operator: 'startsWith', value: 'api', name: 'host' }] },
        { not: { fact: 'context', path: '$.region', operator: 'exists', value: true } },
      ],
    }
    expect(await explain({ conditions: rule }, alert)).toEqual({
      matched: false,
      conditions: {
        name: 'both',
        holds: false,
        all: [
          { fact: 'severity', operator: 'equal', value: 'HIGH', holds: true, missing: false, found: 'HIGH' },
          {
            holds: false,
            any: [
              {
                ...{ fact: 'context', path: '$.host', operator: 'startsWith', value: 'api', name: 'host' },
                ...{ holds: false, missing: false, found: 'db-1' },
              },
            ],
          },
          {
            holds: true,
            not: {
              ...{ fact: 'context', path: '$.region', operator: 'exists', value: true },
              ...{ holds: false, missing: true },
            },
          },
        ],
      },
    })
  })

  it('says why a clause is false that the engine cannot evaluate, and goes on', async () => {
    const throws = { fact: 'context', path: '$.hostile', operator: 'not:lessThan', value: 1 }
    const rule: Conditions = { any: [throws, { fact: 'severity', operator: 'equal', value: 'HIGH' }] }
    const { matched, conditions: explained } = await explain({ conditions: rule }, alert)
    expect(matched).toBe(true)
    expect(explained).toHaveProperty('any.0.holds', false)
    expect(explained).toHaveProperty('any.0.why', expect.stringMatching(/^the clause cannot be asked .*primitive/))
  })

  it('says which elements meet the conditions', async () => {
    const value = { all: [{ field: 'used', operator: 'greaterThan', value: 90 }] }
    const rule: Conditions = { all: [{ fact: 'context', path: '$.disks', operator: 'element', value }] }
    expect((await explain({ conditions: rule }, alert)).conditions).toHaveProperty('all.0.elements', [1])
  })

  const { disks } = alert.context
  const about = (value: ElementConditions, operator = 'element'): Conditions => ({
    all: [{ fact: 'context', path: '$.disks', operator, value }],
  })
  const explainClause = async (rule: Conditions, list: unknown) => {
    const { conditions: top } = await explain({ conditions: rule }, { context: { disks: list } })
    return (top as { all: ExplainedClause[] }).all[0] as ExplainedClause
  }
  const used = (value: number) => ({ field: 'used', operator: 'greaterThan', value })

  it('gives the verdict of every clause inside an element for the first element that meets them', async () => {
    const value = { name: 'full', all: [{ ...used(90), name: 'most' }, { not: used(99) }] }
    const clause = await explainClause(about(value), disks)
    expect(clause.nearest).toEqual({
      index: 1,
      conditions: {
        name: 'full',
        holds: true,
        all: [
          { ...used(90), name: 'most', holds: true, missing: false, found: 95 },
          { holds: true, not: { ...used(99), holds: false, missing: false, found: 95 } },
        ],
      },
    })
    expect((await explainClause(about(value, 'not:element'), disks)).nearest).toEqual(clause.nearest)
  })

  it('takes the element that meets most clauses when none meets the conditions', async () => {
    const value = { all: [used(90), { not: { field: 'mount', operator: 'equal', value: '/' } }, used(96)] }
    const list = [7, { used: 95, mount: '/' }, { used: 95 }, { used: 95 }, { mount: '/' }]
    const { elements, nearest } = await explainClause(about(value), list)
    expect([elements, nearest?.index]).toEqual([[], 2])
    expect(nearest?.conditions).toMatchObject({
      holds: false,
      all: [{ holds: true }, { holds: true }, { holds: false }],
    })
  })

  it('goes on into elements of elements', async () => {
    const parts = { field: 'parts', operator: 'element', value: { any: [used(90)] } }
    const { nearest } = await explainClause(about({ all: [parts] }), [{ parts: [] }, { parts: [{ used: 1 }] }])
    expect(nearest).toMatchObject({ index: 0, conditions: { all: [{ field: 'parts', elements: [], holds: false }] } })
    const met = await explainClause(about({ all: [parts] }), [{ parts: [{ used: 1 }, { used: 91 }] }])
    expect(met).toHaveProperty('nearest.conditions.all.0.nearest.conditions.any.0.found', 91)
  })

  it.each([
    ['no objects', [1, 'x', null, []]],
    ['nothing', []],
  ])('has no element to explain in %s', async (_, list) => {
    const clause = await explainClause(about({ not: used(1) }), list)
    expect(clause).toMatchObject({ holds: false, elements: [] })
    expect(clause).not.toHaveProperty('nearest')
  })

  it('names no more than 100 elements', async () => {
    const { elements } = await explainClause(about({ any: [used(1)] }), Array(5_000).fill({ used: 2 }))
    expect(elements).toEqual(Array.from({ length: 100 }, (_, index) => index))
  })
})
