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

function parseV6(text: string): Address | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const head = parseGroups(halves[0] as string, halves.length === 1)
  const tail = halves.length === 1 ? [] : parseGroups(halves[1] as string, true)
  if (head === undefined || tail === undefined) return undefined
  const missing = 8 - head.length - tail.length
  // `::` stands for one group or more.
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const groups = [...head, ...Array<number>(missing).fill(0), ...tail]
  return [0, 2, 4, 6].map(at => (groups[at] as number) * 0x10000 + (groups[at + 1] as number))
}

const hexGroup = /^[0-9a-f]{1,4}$/i

/** The 16-bit groups of one side of `::`. Where the address ends, the last two may be written as IPv4. */
function parseGroups(text: string, isEnd: boolean): number[] | undefined {
  if (text === '') return []
  const groups: number[] = []
  const parts = text.split(':')
  for (const [index, part] of parts.entries()) {
    if (hexGroup.test(part)) groups.push(Number.parseInt(part, 16))
    else {
      const word = isEnd && index === parts.length - 1 ? parseV4(part) : undefined
      if (word === undefined) return undefined
      groups.push(Math.floor(word / 0x10000), word % 0x10000)
    }
  }
  return groups
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
