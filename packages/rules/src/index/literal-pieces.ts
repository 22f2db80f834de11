/** What matches a character or more in ways that are not looked into. */
const unread = /^(?:\.|\\[dDsSwW]|\\p\{\^?\w+\}|\\P\{\w+\}|\\[pP][A-Z])/
/** A character that stands for itself, or one behind a backslash that does. */
const itself = /^(?:[^\\.[\](){}^$|*+?]|\\[^a-zA-Z0-9])/u
/** Matches no character. Without it the pattern would match no less. */
const position = /^(?:[\^$]|\\[bBAz])/
const quantifier = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/
/** A bracket that has no brackets in it. */
const set = /^\[\^?\]?(?:[^\\[\]]|\\[^pPQxE0-9])*\]/
/** What opens a group, without flags. */
const opening = /^\((?:\?:|\?P?<\w+>|(?!\?))/
const betweenParts = /^(?:[)*+?^$|]|\{[\d,]*\})/

/** As many ways as this are told apart; of more, only what they have in common is read. */
const mostWays = 16

/** One way through a pattern, as far as it has been read. */
interface Way {
  readonly pieces: readonly string[]
  /** The piece that may go on. */
  readonly piece: string
}

const endPiece = ({ pieces, piece }: Way): Way => ({ pieces: [...pieces, piece], piece: '' })

/**
 * The texts that stand in whatever a regular expression matches, in their order, as the pieces of a wildcard: one list
 * for each way that alternatives leave. Undefined when the pattern has anything that this does not read, above all
 * flags.
 */
export function literalPieces(pattern: string): (readonly string[])[] | undefined {
  const read: (readonly string[])[] = []
  let ways: readonly Way[] = [{ pieces: [], piece: '' }]
  for (let rest = pattern; ; ) {
    if (rest === '' || rest.startsWith('|')) {
      for (const way of ways) read.push(endPiece(way).pieces)
      if (rest === '') return read
      ways = [{ pieces: [], piece: '' }]
      rest = rest.slice(1)
      continue
    }
    const part = readPart(rest)
    if (part === undefined) return undefined
    rest = rest.slice(part.length)
    const repeated = quantifier.exec(rest)?.[0] ?? ''
    rest = rest.slice(repeated.length)
    const texts = repeated === '' ? part.texts : undefined
    if (texts === undefined || texts.length * ways.length > mostWays) ways = ways.map(endPiece)
    else ways = ways.flatMap(({ pieces, piece }) => texts.map(text => ({ pieces, piece: piece + text })))
  }
}

/** A part of a pattern, and the texts that it stands for, if those are what it stands for. */
interface Part {
  readonly length: number
  readonly texts?: readonly string[]
}

function readPart(rest: string): Part | undefined {
  const between = position.exec(rest)?.[0]
  if (between !== undefined) return { length: between.length, texts: [''] }
  const literal = itself.exec(rest)?.[0]
  if (literal !== undefined) return { length: literal.length, texts: [unescaped(literal)] }
  const length = (unread.exec(rest) ?? set.exec(rest))?.[0].length
  return length === undefined ? readGroup(rest) : { length }
}

const unescaped = (literal: string) => (literal.startsWith('\\') ? literal.slice(1) : literal)

/** A group of plain texts stands for those; any other is passed over with all that is in it. */
function readGroup(group: string): Part | undefined {
  const start = opening.exec(group)?.[0]
  if (start === undefined) return undefined
  const texts = ['']
  let isPlain = true
  let depth = 1
  for (let at = start.length; at < group.length; ) {
    const rest = group.slice(at)
    const literal = itself.exec(rest)?.[0]
    const opened = opening.exec(rest)?.[0]
    const skipped = literal ?? opened ?? (unread.exec(rest) ?? set.exec(rest) ?? betweenParts.exec(rest))?.[0]
    if (skipped === undefined) return undefined
    at += skipped.length
    if (literal !== undefined) texts[texts.length - 1] += unescaped(literal)
    else if (skipped === '|' && depth === 1) texts.push('')
    else if (skipped === ')' && --depth === 0) return isPlain ? { length: at, texts } : { length: at }
    else {
      isPlain = false
      if (opened !== undefined) depth++
    }
  }
  return undefined
}

/** The text starts with the first piece, ends with the last, and has the others between them. */
export function hasPieces(text: string, pieces: readonly string[]): boolean {
  const last = pieces.length - 1
  if (last === 0) return text === pieces[0]
  const first = pieces[0] as string
  const end = text.length - (pieces[last] as string).length
  if (!text.startsWith(first) || !text.endsWith(pieces[last] as string)) return false
  let at = first.length
  for (let piece = 1; piece < last; piece++) {
    const found = text.indexOf(pieces[piece] as string, at)
    if (found === -1) return false
    at = found + (pieces[piece] as string).length
  }
  return at <= end
}
