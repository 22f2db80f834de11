import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createMatcher } from '@tocsin/rules'
import { validateConditions } from '@tocsin/rules/validate-conditions'
import { describe, expect, it } from 'vitest'
import { alertTexts } from './alerts.ts'
import { nodeEngines } from './engines.ts'
import { fleetFor, rulesPerService } from './fleet.ts'
import { holds } from './plain-language.ts'
import { alertSizesFor, kinds, rulesOf } from './rule-sets.ts'

const rules = 300
const fleet = fleetFor(rules)
const alertsFor = (kind: string, count: number) =>
  alertTexts(fleet, alertSizesFor(kind).at(-1)!, count).map(text => JSON.parse(text) as object)

/** By looking at every clause of every rule. */
const expectedIds = (kind: string, alert: object) =>
  Array.from(
    rulesOf(kind, rules).filter(({ conditions }) => holds(conditions, alert)),
    ({ id }) => id,
  )

describe('corpora', () => {
  it('are the same bytes on every machine: a change makes figures incomparable with those kept', () => {
    const sha256 = createHash('sha256')
    for (const kind of kinds) for (const rule of rulesOf(kind, rules)) sha256.update(JSON.stringify(rule))
    for (const size of ['small', 'large'] as const) sha256.update(alertTexts(fleet, size, 100).join('\n'))
    expect(sha256.digest('hex')).toBe('ecc29f7a54e4e18aeebd303be30a8adfdbc04c05e1bdde2183d087a37446f847')
  })

  it.each(kinds)('%s: the first rules of a set are the same, however many are made of it', kind => {
    expect([...rulesOf(kind, rules, 10)]).toEqual([...rulesOf(kind, rules)].slice(0, 10))
  })

  it.each([
    ['small', 330],
    ['large', 900],
  ] as const)('%s alerts are about %i bytes', (size, bytes) => {
    for (const ruleCount of [1_000, 1_000_000]) {
      const texts = alertTexts(fleetFor(ruleCount), size, 500)
      const average = texts.reduce((sum, { length }) => sum + length, 0) / texts.length
      expect(Math.abs(average / bytes - 1)).toBeLessThan(0.06)
    }
  })

  it.each(kinds)('%s: rules are valid; an alert matches few of them, but not none', kind => {
    for (const { conditions } of rulesOf(kind, rules, 50)) {
      expect(validateConditions(conditions)).not.toHaveProperty('problems')
    }
    const counts = alertsFor(kind, 100).map(alert => expectedIds(kind, alert).length)
    expect(Math.max(...counts)).toBeLessThanOrEqual(2 * rulesPerService)
    expect(counts.some(count => count > 0)).toBe(true)
  })
})

it('every set is explained in bench/README.md, and no other', () => {
  const page = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8').split('### What the rules')[1] ?? ''
  expect(['mixed', ...Array.from(page.matchAll(/^\| `(\w+)` \|/gm), ([, name]) => name)]).toEqual(kinds)
})

describe('engines', () => {
  it.each(kinds)('%s: the matcher finds what every clause looked at by itself gives', kind => {
    const matcher = createMatcher()
    for (const rule of rulesOf(kind, rules)) matcher.add(rule)
    for (const alert of alertsFor(kind, 50)) expect(matcher.match(alert).sort()).toEqual(expectedIds(kind, alert))
  })

  it.each(kinds)('%s: json-rules-engine finds the same', async kind => {
    const engine = nodeEngines['json-rules-engine']()
    for (const { id, conditions } of rulesOf(kind, rules)) engine.add(id, JSON.stringify(conditions))
    for (const alert of alertsFor(kind, 5)) {
      const ids = await engine.match(JSON.stringify(alert))
      expect(ids.toSorted()).toEqual(expectedIds(kind, alert))
    }
  })
})
