import { foldCase } from '../fold-case.ts'
import { foldedText } from './folded-text.ts'
import { literalEscape, unescaped } from './literal-escape.ts'

/** What matches a character or more in ways that are not looked into. */
const unread = /^(?:\.|\\[dDsSwW]|\\p\{\^?\w+\}|\\P\{\w+\}|\\[pP][A-Z])/
/** A character that stands for itself, or what stands for one. */
const itself = new RegExp(String.raw`^(?:[^\\.[(){^$|*+?]|${literalEscape})`, 'u')
/** Matches no character. Without it the pattern would match no less. */
const position = /^(?:[\^$]|\\[bBAz])/
const quantifier = /^(?:[*+?]|\{\d+(?:,\d*)?\})\??/
/** A bracket that has no brackets in it but those of named sets. */
const set = /^\[\^?\]?(?:[^\\[\]]|\[:\^?\w+:\]|\\[^QE0-9])*\]/
/** What opens a group, perhaps with flags for what is in it. */
const opening = /^\((?:\?[imsU]*(?:-[imsU]+)?:|\?P?<\w+>|(?!\?))/
/** Flags from here on. None of them but `i` makes a difference to what literal text must be there. */
const flags = /^\(\?(?:[imsU]+(?:-[imsU]+)?|-[imsU]+)\)/
const ignoringCase = /\(\?[msU]*i/
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

/** What stands in whatever a regular expression matches. */
export interface LiteralPieces {
  /** Texts in their order, as the pieces of a wildcard: one list for each way that alternatives leave. */
  readonly ways: readonly (readonly string[])[]
  /** The texts are folded, and a text has them when it is. So it is for the whole pattern if for any part of it. */
  readonly ignoresCase: boolean
}

/** Undefined when the pattern has anything that this does not read. */
export function literalPieces(pattern: string): LiteralPieces | undefined {
  const ways = readWays(pattern)
  if (ways === undefined || !ignoringCase.test(pattern)) return ways && { ways, ignoresCase: false }
  return { ways: ways.map(pieces => pieces.map(foldCase)), ignoresCase: true }
}

function readWays(pattern: string): (readonly string[])[] | undefined {
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
    // It would repeat what stands before the flags.
    if (repeated !== '' && part.areFlags) return undefined
    const texts = repeated === '' ? part.texts : undefined
    if (texts === undefined || texts.length * ways.length > mostWays) ways = ways.map(endPiece)
    else ways = ways.flatMap(({ pieces, piece }) => texts.map(text => ({ pieces, piece: piece + text })))
  }
}

/** A part of a pattern, and the texts that it stands for, if those are what it stands for. */
interface Part {
  readonly length: number
  readonly texts?: readonly string[]
  readonly areFlags?: boolean
}

function readPart(rest: string): Part | undefined {
  const between = position.exec(rest)?.[0]
  if (between !== undefined) return { length: between.length, texts: [''] }
  const literal = itself.exec(rest)?.[0]
  if (literal !== undefined) return { length: literal.length, texts: [unescaped(literal)] }
  const behind = flags.exec(rest)?.[0]
  if (behind !== undefined) return { length: behind.length, texts: [''], areFlags: true }
  const length = (unread.exec(rest) ?? set.exec(rest))?.[0].length
  return length === undefined ? readGroup(rest) : { length }
}

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
    const other = flags.exec(rest) ?? unread.exec(rest) ?? set.exec(rest) ?? betweenParts.exec(rest)
    const skipped = literal ?? opened ?? other?.[0]
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

export function hasPieces(text: string, { ways, ignoresCase }: LiteralPieces): boolean {
  const whole = ignoresCase ? foldedText(text) : text
  return ways.some(pieces => hasWay(whole, pieces))
}

/** The text starts with the first piece, ends with the last, and has the others between them. */
function hasWay(text: string, pieces: readonly string[]): boolean {
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
