import { isKnown, Sign, type Signs, shows, type Trail } from './sign.ts'

/** Signs of which one shows whenever the rule holds, and what following them is about to cost per alert. */
export interface Cover {
  readonly cost: number
  readonly signs: readonly Sign[]
}

/**
 * Each node on the way may find a rule by several signs, and each of those leads to a node of its own. Rules are held in
 * no more places than this, or than the signs of one of their conditions: two lists of 5,000 values would make it
 * 25,000,000.
 */
const mostPlaces = 64

/** The cheapest way to find a rule by its signs. Undefined if there is none that the trail does not know already. */
export function cheapestCover(
  signs: Signs,
  trail: Trail | undefined,
  costOf: (sign: Sign) => number,
): Cover | undefined {
  const most = trail === undefined ? Number.POSITIVE_INFINITY : Math.max(1, mostPlaces / trail.places)
  return coverOf(signs, { trail, most, costOf })
}

interface Choice {
  readonly trail: Trail | undefined
  /** Signs that a cover may have. */
  readonly most: number
  readonly costOf: (sign: Sign) => number
}

function coverOf(signs: Signs, choice: Choice): Cover | undefined {
  if (signs instanceof Sign) {
    return isKnown(signs, choice.trail) ? undefined : { cost: choice.costOf(signs), signs: [signs] }
  }
  if (!signs.isAny) {
    let best: Cover | undefined
    for (const inner of signs.signs) {
      const cover = coverOf(inner, choice)
      if (cover !== undefined && (best === undefined || cover.cost < best.cost)) best = cover
    }
    return best
  }
  let cost = 0
  const all: Sign[] = []
  for (const inner of signs.signs) {
    const cover = coverOf(inner, choice)
    if (cover === undefined || all.length + cover.signs.length > choice.most) return undefined
    cost += cover.cost
    for (const sign of cover.signs) all.push(sign)
  }
  return { cost, signs: all }
}

/** Every sign that a cover may have. */
export function forEachSign(signs: Signs, each: (sign: Sign) => void): void {
  if (signs instanceof Sign) each(signs)
  else for (const inner of signs.signs) forEachSign(inner, each)
}

/** The same sign twice, as in `(a and b) or (a and c)`, is one. */
export function withoutRepeats(signs: readonly Sign[]): readonly Sign[] {
  if (signs.length < 2) return signs
  const byKey = new Map<unknown, Sign[]>()
  return signs.filter(sign => {
    const known = byKey.get(sign.key)
    if (known === undefined) byKey.set(sign.key, [sign])
    else if (known.some(one => one.isSame(sign))) return false
    else known.push(sign)
    return true
  })
}

/** How many alerts in one show a sign, as a guess from what rules say. */
export function likelihood({ field, ofMember, shows: shown, low, high }: Sign): number {
  switch (shown) {
    case shows.equal:
      return Math.min(0.9, (ofMember ? 3 : 1) / (field.namedValues + 1))
    case shows.folded:
    case shows.listed:
      return 1 / (field.namedValues + 1)
    case shows.range:
      return Number.isFinite(low) && Number.isFinite(high) ? 0.1 : 0.4
    case shows.prefix:
    case shows.suffix:
    case shows.gram:
    case shows.foldedPrefix:
    case shows.foldedSuffix:
    case shows.foldedGram:
      return Math.max(0.002, 3 ** -low)
    case shows.network:
      return 0.05
    case shows.element:
      return 0.05
    // Who asks for a field names one that not all alerts have.
    case shows.present:
      return 0.3
    case shows.absent:
    case shows.noList:
    case shows.noElements:
      return 0.7
    case shows.empty:
    case shows.unordered:
      return 0.3
    case shows.asked:
      return 2
    // No less, since an alert that has the field asks each.
    case shows.askedIfPresent:
    case shows.askedIfList:
    case shows.askedIfText:
      return 1.5
    default:
      return 0.4
  }
}
