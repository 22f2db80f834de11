import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { added, changed, expectNoDifference } from '../../test/crowd-differences.ts'
import { type Alert, crowds } from '../../test/crowded-rules.ts'
import { compilePlainly } from '../../test/plain-matcher.ts'
import { watchNodes } from '../../test/watch-nodes.ts'
import type { Condition } from '../language.ts'
import { validateConditions } from '../validate-conditions.ts'
import { shows } from './sign.ts'

const deep = process.env.TOCSIN_TEST_DEEP === '1'
const isWithoutClauses = (rule: object) => !JSON.stringify(rule).includes('operator')

function hasBothVerdicts(rule: object, alerts: readonly Alert[]): boolean {
  const holds = compilePlainly(rule as Condition)
  return new Set(alerts.map(holds)).size === 2
}

describe('many rules that ask much the same', () => {
  it('are found by whatever leads to them', { timeout: 600_000 }, () => {
    const watched = watchNodes()
    onTestFinished(() => watched.stop())
    const property = fc.property(crowds({ rules: 300, alerts: 40 }), crowd => expectNoDifference(crowd, added))
    const kinds = Object.keys(shows)
    fc.assert(property, { numRuns: deep ? 5_000 : 150, endOnFailure: true })
    // The rarest kinds come once in 50 runs.
    for (let more = 0; more < 10 && watched.kinds.size < kinds.length; more++) {
      fc.assert(property, { numRuns: 50, endOnFailure: true })
    }
    expect([...watched.kinds].sort()).toEqual(kinds.sort())
    expect(watched.deepest).toBeGreaterThanOrEqual(2)
  })

  it('are found while rules come and go', { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(crowds({ rules: 300, alerts: 8 }), fc.integer({ min: 2, max: 8 }), (crowd, parts) =>
        expectNoDifference(crowd, changed(parts)),
      ),
      { numRuns: deep ? 3_000 : 80, endOnFailure: true },
    )
  })

  it('have passed validation, hardly ever ask nothing, and often hold for some alerts and not for others', () => {
    const counts = { rules: 0, withoutClauses: 0, withBothVerdicts: 0 }
    fc.assert(
      fc.property(crowds({ rules: 60, alerts: 40 }), ({ rules, alerts }) => {
        for (const rule of rules) expect(validateConditions(rule)).toHaveProperty('conditions', rule)
        counts.rules += rules.length
        counts.withoutClauses += rules.filter(isWithoutClauses).length
        counts.withBothVerdicts += rules.filter(rule => hasBothVerdicts(rule, alerts)).length
      }),
      { numRuns: 100, endOnFailure: true },
    )
    expect(counts.withoutClauses).toBeLessThan(counts.rules * 0.02)
    expect(counts.withBothVerdicts).toBeGreaterThan(counts.rules * 0.33)
  })
})
