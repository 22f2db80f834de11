/** An address as unsigned 32-bit words: one for IPv4, four for IPv6. */
export type Address = readonly number[]

/** Strict: no leading zeros in IPv4 (some readers take them as octal), no zone, nothing around it. */
export function parseAddress(text: string): Address | undefined {
  // The longest is an IPv6 address that ends in an IPv4 one. Longer text is not looked at.
  if (text.length > 45) return undefined
  if (text.includes(':')) return parseV6(text)
  const word = parseV4(text)
  return word === undefined ? undefined : [word]
}

/** Character by character: this runs for every alert that `cidr` clauses are about. */
export function parseV4(text: string): number | undefined {
  let word = 0
  let octet = 0
  let digits = 0
  let dots = 0
  for (let at = 0; at < text.length; at++) {
    const digit = text.charCodeAt(at) - 48
    if (digit === dot) {
      if (digits === 0) return undefined
      word = word * 256 + octet
      octet = digits = 0
      dots++
    } else {
      const leadingZero = digits > 0 && octet === 0
      octet = octet * 10 + digit
      if (digit < 0 || digit > 9 || leadingZero || octet > 255) return undefined
      digits++
    }
  }
  return dots === 3 && digits > 0 ? word * 256 + octet : undefined
}

const dot = '.'.charCodeAt(0) - 48

/** Character by character too: splitting takes ten times as long. */
function parseV6(text: string): Address | undefined {
  const groups: number[] = []
  // How many groups there are before `::`, if it was there.
  let gap = text.startsWith('::') ? 0 : -1
  let at = gap === 0 ? 2 : 0
  while (at < text.length) {
    const end = endOfGroup(text, at)
    if (text.charCodeAt(end) === '.'.charCodeAt(0)) {
      const word = parseV4(text.slice(at))
      if (word === undefined) return undefined
      groups.push(Math.floor(word / 0x10000), word % 0x10000)
      break
    }
    if (end === at || end - at > 4 || groups.length === 8) return undefined
    groups.push(readHex(text, at, end))
    if (end === text.length) break
    if (text.charCodeAt(end) !== colon) return undefined
    at = end + 1
    if (text.charCodeAt(at) === colon) {
      if (gap !== -1) return undefined
      gap = groups.length
      at++
    } else if (at === text.length) return undefined
  }
  return wordsOf(groups, gap)
}

/** `::` stands for one group or more. */
function wordsOf(groups: number[], gap: number): Address | undefined {
  const missing = 8 - groups.length
  if (gap === -1 ? missing !== 0 : missing < 1) return undefined
  const group = (index: number) =>
    (gap === -1 || index < gap ? groups[index] : index < gap + missing ? 0 : groups[index - missing]) as number
  const word = (index: number) => group(index) * 0x10000 + group(index + 1)
  return [word(0), word(2), word(4), word(6)]
}

const colon = ':'.charCodeAt(0)

/** -1 for what is no digit. */
function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  const letter = code | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}

function endOfGroup(text: string, start: number): number {
  let at = start
  while (at < text.length && hexDigit(text.charCodeAt(at)) !== -1) at++
  return at
}

function readHex(text: string, start: number, end: number): number {
  let group = 0
  for (let at = start; at < end; at++) group = group * 16 + hexDigit(text.charCodeAt(at))
  return group
}

export function formatAddress(address: Address): string {
  if (address.length === 1) return [24, 16, 8, 0].map(shift => ((address[0] as number) >>> shift) & 255).join('.')
  const groups = address.flatMap(word => [word >>> 16, word & 0xffff])
  const text = groups.map(group => group.toString(16)).join(':')
  // The longest run of zeros is left out, the first of two that are as long.
  const runs = [...text.matchAll(/\b0(?::0\b)+/g)].sort((a, b) => b[0].length - a[0].length)
  const run = runs[0]
  if (run === undefined) return text
  return `${text.slice(0, run.index).replace(/:$/, '')}::${text.slice(run.index + run[0].length).replace(/^:/, '')}`
}
