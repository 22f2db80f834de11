import fc from 'fast-check'
import { type Alert, fewOf, places, type Vocabulary, vocabularyOf, vocabularySeeds } from './crowded-places.ts'
import { type Draw, drawFrom, oneOf } from './draw.ts'

/**
 * Rules that ask much the same of few fields, so that most signs stand for more rules than a list may have and the index
 * goes several nodes deep; and alerts that are one letter, bit or unit from what the rules name. Each clause and each
 * field of an alert is drawn from one number: they cost next to nothing to generate, and shrink.
 */
export type { Alert }

export interface Crowd {
  rules: object[]
  alerts: Alert[]
}

/** What the rules of one crowd are about: one to three places, and one or two of the things that can be asked there. */
interface Theme {
  readonly places: typeof places
  /** Nearly every clause is the opposite of one that is looked up, so that rules are found by what they exclude. */
  readonly isNegative: boolean
}

function themeOf(draw: Draw): Theme {
  const start = draw(places.length)
  const chosen = [0, 1 + draw(3), 4 + draw(4)].slice(0, 1 + draw(3)).map(further => {
    const { asks, ...place } = places[(start + further) % places.length] as (typeof places)[number]
    return { ...place, asks: Array.from({ length: 1 + draw(2) }, () => oneOf(draw, asks)) }
  })
  return { places: chosen, isNegative: draw(5) === 0 }
}

function clauseOf(draw: Draw, theme: Theme, vocabulary: Vocabulary): object {
  const { path, asks } = oneOf(draw, theme.places)
  const place = { fact: 'context', path: `$.${path}` }
  const manner = draw(16)
  if (manner === 15 || (manner > 12 && theme.isNegative)) return { ...place, operator: 'exists', value: draw(2) === 0 }
  const [operator, value] = oneOf(draw, asks)(draw, vocabulary)
  const isNegated = theme.isNegative ? manner > 0 : manner > 13
  return { ...place, operator: isNegated ? `not:${operator}` : operator, value }
}

function ruleOf(draw: Draw, clauses: readonly object[]): object {
  const [first, ...others] = clauses
  switch (draw(16)) {
    case 10:
    case 11:
      return { any: clauses }
    case 12:
      return { any: [{ all: clauses.slice(0, 2) }, ...clauses.slice(2)] }
    case 13:
      return { all: [first, { any: others }] }
    case 14:
      return { all: [...others, { not: first }] }
    case 15:
      // One rule in a hundred asks nothing and holds for everything.
      return draw(6) === 0 ? { all: [] } : { not: { any: clauses } }
    default:
      return { all: clauses }
  }
}

/** The last ones cannot be compared: the engine throws. */
const strange: readonly unknown[] = [null, '', [], {}, true, { toString: 1 }, [{ toString: 1 }]]
const finders = places.map(({ find }) => find)

function alertOf(theme: Theme, vocabulary: Vocabulary, seeds: readonly number[]): Alert {
  const context: Record<string, unknown> = {}
  for (const [at, { path, find }] of theme.places.entries()) {
    const draw = drawFrom(seeds[at] as number)
    const manner = draw(16)
    if (manner === 15) continue
    if (manner === 14) context[path] = oneOf(draw, strange)
    else context[path] = (manner === 13 ? oneOf(draw, finders) : find)(draw, vocabulary)
  }
  return { context }
}

/** Small numbers would all draw the same. */
const seed = fc.noBias(fc.maxSafeNat())
const seeds = (least: number, most: number) => fc.array(seed, { minLength: least, maxLength: most, size: 'max' })

/** `k` has a third form besides the capital, and `é` is no ASCII. */
const letter = fc.constantFrom('a', 'k', '1', 'é')
const words = fc.array(
  fc.oneof(
    fc.string({ unit: letter, minLength: 1, maxLength: 5 }),
    fc.string({ unit: letter, minLength: 1, maxLength: 20, size: 'max' }),
  ),
  { minLength: 5, maxLength: 5 },
)

export interface CrowdSize {
  rules: number
  alerts: number
}

export const crowds = ({ rules, alerts }: CrowdSize): fc.Arbitrary<Crowd> =>
  fc
    .tuple(
      fc.tuple(words, seeds(vocabularySeeds, vocabularySeeds), seed),
      fc.array(fc.tuple(seed, seeds(1, 4)), { maxLength: rules, size: 'max' }),
      fc.array(seeds(3, 3), { minLength: 1, maxLength: alerts, size: 'max' }),
    )
    .map(([[named, valueSeeds, themeSeed], ruleSeeds, alertSeeds]) => {
      const draw = drawFrom(themeSeed)
      const all = vocabularyOf(named, valueSeeds)
      const vocabulary = draw(2) === 0 ? fewOf(all) : all
      const theme = themeOf(draw)
      const clause = (clauseSeed: number) => clauseOf(drawFrom(clauseSeed), theme, vocabulary)
      return {
        rules: ruleSeeds.map(([shape, clauses]) => ruleOf(drawFrom(shape), clauses.map(clause))),
        alerts: alertSeeds.map(fields => alertOf(theme, vocabulary, fields)),
      }
    })
