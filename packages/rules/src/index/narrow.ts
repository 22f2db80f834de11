import { allSigns, anySign, Sign, type SignGroup, type Signs, type Trail } from './sign.ts'

/** Of longer groups, lists of values above all, nothing would be gained by it. */
const mostWays = 16

/**
 * What is left to find a pattern by, behind a sign that it is held for. Behind that of one way of an `any`, only this way
 * need be looked for: for the others the pattern is held elsewhere. Otherwise, of all that are `(a and b) or c`, the node
 * behind `a` would look for `c` as well.
 */
export function narrowed(signs: Signs, by: Sign): Signs {
  if (signs instanceof Sign || signs.isAny) return signs
  const parts = signs.signs
  const at = parts.findIndex(part => hasWays(part) && shows(part, by))
  // If it stands in another part too, it may be that one by which the pattern is held.
  if (at === -1 || parts.some((part, other) => other !== at && shows(part, by))) return signs
  const ways = (parts[at] as SignGroup).signs.filter(way => shows(way, by))
  return allSigns(parts.with(at, anySign(ways)))
}

/** The same for each step of the way, the first one first: each has been taken with what the one before had left. */
export function narrowedByTrail(signs: Signs, trail: Trail | undefined): Signs {
  return trail === undefined ? signs : narrowed(narrowedByTrail(signs, trail.before), trail.sign)
}

function hasWays(signs: Signs): boolean {
  if (signs instanceof Sign || !signs.isAny || signs.signs.length > mostWays) return false
  return signs.signs.some(way => !(way instanceof Sign))
}

function shows(signs: Signs, sign: Sign): boolean {
  return signs instanceof Sign ? signs.isSame(sign) : signs.signs.some(inner => shows(inner, sign))
}
