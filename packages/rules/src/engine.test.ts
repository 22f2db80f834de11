import fc from 'fast-check'
import { Engine } from 'json-rules-engine'
import { describe, expect, it } from 'vitest'
import { alerts, conditions } from '../test/conditions.ts'
import { createJudge } from './engine.ts'
import { ownOperators } from './own-operators.ts'

const ours = new RegExp(`"(?:[a-zA-Z]+:)*(?:element|${[...ownOperators.keys()].join('|')})"`)

const judge = async (rule: object, alert: object) =>
  (await createJudge([{ id: 'r', conditions: rule }]).match(alert)).length === 1

describe('createJudge', () => {
  it('is json-rules-engine as it comes, wherever that knows the operators and gives a verdict', async () => {
    let verdicts = 0
    await fc.assert(
      fc.asyncProperty(conditions, alerts, async (rule, alert) => {
        if (ours.test(JSON.stringify(rule))) return
        const plain = new Engine([{ conditions: rule as never, event: { type: 'm' } }], { allowUndefinedFacts: true })
        const verdict = await plain.run(alert).catch(() => undefined)
        if (verdict === undefined) return
        verdicts++
        expect(await judge(rule, alert)).toBe(verdict.events.length === 1)
      }),
      { numRuns: 1_500 },
    )
    expect(verdicts).toBeGreaterThan(300)
  })

  it('takes a clause that throws as false and asks the others', async () => {
    const alert = JSON.parse('{"context": {"toString": 1}, "name": "x"}')
    const throws = { fact: 'context', operator: 'lessThan', value: 1 }
    const rules = [
      { id: 'any', conditions: { any: [throws, { fact: 'name', operator: 'equal', value: 'x' }] } },
      { id: 'all', conditions: { all: [throws] } },
      { id: 'negated clause', conditions: { all: [{ ...throws, operator: 'not:lessThan' }] } },
      { id: 'negated group', conditions: { not: throws } },
    ]
    expect(await createJudge(rules).match(alert)).toEqual(['any', 'negated group'])
  })

  it('is not led astray by members that the engine has methods for, nor by an empty member of the alert', async () => {
    const clause = { fact: 'name', operator: 'equal', value: 'x', evaluate: 1, isBooleanOperator: 2, result: true }
    expect(await judge({ all: [clause] }, { '': 1, name: 'x' })).toBe(true)
    expect(await judge({ all: [clause], toJSON: 1 }, { name: 'y' })).toBe(false)
  })
})
