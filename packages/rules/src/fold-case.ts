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
  for (const character of text) folded += foldCharacter(character)
  return folded
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
