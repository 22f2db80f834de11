import { never, type Operator, type Predicate, prepared } from './operator.ts'

/** A `wildcard` as its literal pieces with a star between each two, or a sentence on what is wrong with it. */
export function parseWildcard(pattern: string): { pieces: string[]; needless: string[] } | { problem: string } {
  const pieces: string[] = []
  const needless: string[] = []
  let piece = ''
  for (let at = 0; at < pattern.length; at++) {
    let character = pattern[at] as string
    if (character === '*') {
      // Two stars in a row say no more than one.
      if (piece !== '' || pieces.length === 0) pieces.push(piece)
      piece = ''
      continue
    }
    if (character === '\\') {
      if (++at === pattern.length) return { problem: 'ends in a \\ that escapes nothing: write \\\\ for a backslash' }
      character = pattern[at] as string
      if (character !== '*' && character !== '\\') needless.push(character)
    }
    piece += character
  }
  pieces.push(piece)
  return { pieces, needless }
}

/** Whole text, no backtracking: between the first and the last piece, the leftmost place is always a right one. */
export const wildcard: Operator = prepared(pattern => {
  const parsed = typeof pattern === 'string' ? parseWildcard(pattern) : { problem: 'is no string' }
  return 'problem' in parsed ? never : compilePieces(parsed.pieces)
})

function compilePieces(pieces: readonly string[]): Predicate {
  const first = pieces[0] as string
  if (pieces.length === 1) return found => found === first
  const last = pieces.at(-1) as string
  const between = pieces.slice(1, -1)
  return found => {
    if (typeof found !== 'string' || !found.startsWith(first) || !found.endsWith(last)) return false
    const end = found.length - last.length
    let at = first.length
    for (const piece of between) {
      const start = found.indexOf(piece, at)
      if (start === -1) return false
      at = start + piece.length
    }
    return at <= end
  }
}
