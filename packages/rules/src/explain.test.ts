import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { alerts, conditions } from '../test/conditions.ts'
import { type ExplainedCondition, explain } from './explain.ts'
import type { Conditions } from './language.ts'
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
})
