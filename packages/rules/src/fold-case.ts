/**
 * Unicode's simple case folding, one code point at a time: "Straße" and "STRASSE" stay apart, because that is full
 * folding, and so do "i" and the Turkish "ı" and "İ". It is what the regular expression flags `iu` compare by, and the
 * test holds every code point against those.
 *
 * Up and down again lands all members of a family on one of them. These are where that misses: "ı" would join "i", and
 * three pairs have no single capital to meet at.
 */
const exceptions: ReadonlyMap<string, string> = new Map([
  ['\u0131', '\u0131'],
  ['\u1fd3', '\u0390'],
  ['\u1fe3', '\u03b0'],
  ['\ufb05', '\ufb06'],
])

const notAscii = /\P{ASCII}/u
/** What of a text may change. */
const changing = /[A-Z]+|\P{ASCII}+/gu

/** Two texts are equal ignoring case when their folded forms are equal. Folding keeps the length. */
export function foldCase(text: string): string {
  if (!notAscii.test(text)) return text.toLowerCase()
  return text.replace(changing, part => (part < '\x80' ? part.toLowerCase() : foldCharacters(part)))
}

function foldCharacters(text: string): string {
  let folded = ''
  for (const character of text) folded += String.fromCodePoint(foldCode(character.codePointAt(0) as number))
  return folded
}

/**
 * Whether the folded forms are equal, told by as few characters as it takes: an alert may bring a hundred thousand texts
 * or one of as many characters, and a rule ask two hundred times.
 */
export function isEqualIgnoringCase(one: string, other: string): boolean {
  if (one.length !== other.length) return false
  for (let at = 0; at < one.length; at++) {
    const code = one.codePointAt(at) as number
    const otherCode = other.codePointAt(at) as number
    if (code !== otherCode && foldCode(code) !== foldCode(otherCode)) return false
    if (code > 0xffff) at++
  }
  return true
}

/** Behind it no character has a case. */
const lastCased = 0x1ffff
let folds: ReadonlyMap<number, number> | undefined

function foldCode(code: number): number {
  if (code < 128) return code >= 65 && code <= 90 ? code + 32 : code
  // Made when it is first needed: that takes some 20 ms.
  folds ??= foldsByCode()
  return folds.get(code) ?? code
}

/** The 1,500 characters that folding changes: asking JavaScript for each character takes ten times as long as this. */
function foldsByCode(): ReadonlyMap<number, number> {
  const changed = new Map<number, number>()
  for (let code = 128; code <= lastCased; code++) {
    const folded = foldCharacter(String.fromCodePoint(code)).codePointAt(0) as number
    if (folded !== code) changed.set(code, folded)
  }
  return changed
}

function foldCharacter(character: string): string {
  const exception = exceptions.get(character)
  if (exception !== undefined) return exception
  const { length } = character
  const upper = character.toUpperCase()
  // What becomes longer is full folding's business ("ß" to "SS", "İ" to "i" with a dot above).
  const lower = (upper.length === length ? upper : character).toLowerCase()
  return lower.length === length ? lower : character
}
