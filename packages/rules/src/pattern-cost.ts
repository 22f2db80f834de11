/** What a pattern costs at the least, in the unit of `patternInstructions`, told by its text alone. */
export interface LeastCost {
  instructions: number
  /** How often all that is counted out is repeated. */
  repeats: number
}

/** `\pL` is six instructions for its 684 ranges; in unions that come to less, reading them costs no less. */
const instructionsOfClass = 6

/** With `(?i)`, RE2 looks for the other cases of each character of a range, one by one: 512 of them take 20 µs. */
const foldedCharacters = 512
const firstCased = 0x41
const lastCased = 0x1e943

const escaped = /\\(?:x\{([0-9a-f]{1,6})\}|x([0-9a-f]{2})|([pP])(?:\{[^}]*\})?|.)/gis

/**
 * For what takes RE2 long to read, if only to find that it is too much: a thousand characters may take 2 s. Where this
 * is mistaken about what is inside a set, it counts too much of what hardly anybody writes.
 */
export function leastCost(pattern: string): LeastCost {
  let classes = 0
  const plain = pattern.replace(escaped, (_, braced?: string, bare?: string, isClass?: string) => {
    if (isClass !== undefined) classes++
    const code = Number.parseInt(braced ?? bare ?? '61', 16)
    return String.fromCodePoint(Math.min(code, 0x10ffff))
  })
  const folded = /\(\?[a-z-]*i/i.test(plain) ? rangedCharacters(plain) : 0
  return {
    instructions: classes * instructionsOfClass + Math.floor(folded / foldedCharacters),
    repeats: sum(plain.matchAll(/\{(\d+)(?:,(\d*))?\}/g), ([, least, most]) => Number(most || least)),
  }
}

/** Looked for at each character: `[--z]` is a range too. */
function rangedCharacters(plain: string): number {
  return sum(plain.matchAll(/(?=(.)-(.))/gsu), ([, from = '', to = '']) => {
    const first = Math.max(firstCased, from.codePointAt(0) as number)
    return Math.max(0, Math.min(lastCased, to.codePointAt(0) as number) - first)
  })
}

function sum<Item>(items: Iterable<Item>, count: (item: Item) => number): number {
  let total = 0
  for (const item of items) total += count(item)
  return total
}
