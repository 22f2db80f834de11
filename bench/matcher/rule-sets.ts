import { type AlertSize, alertSizes } from './alerts.ts'
import { fleetFor, serviceAt } from './fleet.ts'
import { mixedConditions } from './mixed-rules.ts'
import { randomFrom } from './random.ts'
import { type BenchRule, ruleId } from './rule.ts'
import { singleKinds } from './single-kinds.ts'

const seed = 4_104

export const kinds: readonly string[] = ['mixed', ...Object.keys(singleKinds)]

/** Which alerts a set is matched against. */
export function alertSizesFor(kind: string): readonly AlertSize[] {
  return kind === 'mixed' ? alertSizes : [singleKinds[kind]?.alerts ?? 'small']
}

/** The rules of a set of `size`, made one after the other: a million of them need not be in memory at once. */
export function* rulesOf(kind: string, size: number, count: number = size): Generator<BenchRule> {
  const fleet = fleetFor(size)
  for (let index = 0; index < count; index++) {
    const random = randomFrom(seed, index)
    const all =
      kind === 'mixed'
        ? mixedConditions(fleet, index, random)
        : singleKinds[kind]!.conditions(serviceAt(fleet, index), random, { fleet, index })
    yield { id: ruleId(index), conditions: { all } }
  }
}
