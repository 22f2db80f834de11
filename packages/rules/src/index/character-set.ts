import { literalEscape, unescaped } from './literal-escape.ts'

/** Some of the ASCII characters, and all of the others or none. */
export interface CharacterSet {
  /** A bit for each ASCII character. */
  readonly ascii: Uint32Array
  readonly hasOthers: boolean
}

export const isIn = ({ ascii, hasOthers }: CharacterSet, code: number): boolean =>
  code < 128 ? (((ascii[code >>> 5] as number) >>> (code & 31)) & 1) === 1 : hasOthers

/** A character between the brackets, escaped perhaps, or a named set: the source of a regular expression. */
export const setItem = String.raw`[^\\[\]]|\\[dDsSwW]|${literalEscape}`
const memberOfSet = new RegExp(`(?:${setItem})(?:-(?:${setItem}))?`, 'g')
const range = new RegExp(`^(${setItem})-(${setItem})$`)

const namedSets: Readonly<Record<string, RegExp>> = {
  '\\d': /[0-9]/,
  '\\D': /[^0-9]/,
  '\\s': /[\t\n\f\r ]/,
  '\\S': /[^\t\n\f\r ]/,
  '\\w': /[0-9A-Za-z_]/,
  '\\W': /[^0-9A-Za-z_]/,
}

/** With its brackets: characters, ranges of them, and named sets. Undefined if there is anything else. */
export function readSet(set: string, ignoresCase: boolean): CharacterSet | undefined {
  const isNegated = set.startsWith('[^')
  const inner = set.slice(isNegated ? 2 : 1, -1)
  const members = inner.match(memberOfSet) ?? []
  if (members.join('') !== inner || !members.every(isReadable)) return undefined
  return setOf(members, isNegated, ignoresCase)
}

function isReadable(member: string): boolean {
  const ends = range.exec(member)
  if (ends === null) return Object.hasOwn(namedSets, member) || (isAscii(member) && member !== '-')
  const [low, high] = [ends[1] as string, ends[2] as string]
  return [low, high].every(end => isAscii(end) && end !== '-') && unescaped(low) <= unescaped(high)
}

/** A character, and no named set. Of others it would have to be known which are one in two cases. */
const isAscii = (character: string) => !Object.hasOwn(namedSets, character) && unescaped(character) <= '\x7f'

/**
 * A set that ignores case has both of a letter. What is no ASCII and one with an ASCII letter in another case, as the
 * Kelvin sign is with k, comes as that letter: texts are folded.
 */
export function setOf(members: readonly string[], isNegated: boolean, ignoresCase: boolean): CharacterSet {
  const ascii = new Uint32Array(4)
  for (let code = 0; code < 128; code++) {
    const character = String.fromCharCode(code)
    const cases = ignoresCase ? [character.toLowerCase(), character.toUpperCase()] : [character]
    if (members.some(member => cases.some(one => includes(member, one))) !== isNegated) {
      ascii[code >>> 5] = (ascii[code >>> 5] as number) | (1 << (code & 31))
    }
  }
  const hasOthers = members.some(member => /^\\[DSW]$/.test(member))
  return { ascii, hasOthers: hasOthers !== isNegated }
}

function includes(member: string, character: string): boolean {
  const named = namedSets[member]
  if (named !== undefined) return named.test(character)
  const ends = range.exec(member)
  if (ends === null) return unescaped(member) === character
  return unescaped(ends[1] as string) <= character && character <= unescaped(ends[2] as string)
}
