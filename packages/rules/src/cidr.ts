import { type Address, formatAddress, parseAddress } from './ip-address.ts'
import { never, type Operator, type Predicate, prepared } from './operator.ts'

export interface Network {
  address: Address
  /** Leading bits that an address of the network shares with it. */
  prefix: number
}

/** A network as `address/prefix`, or one address alone; or a sentence on what is wrong with it. */
export function parseNetwork(text: string): Network | { problem: string } {
  const [written = '', bits, ...more] = text.split('/')
  const address = parseAddress(written)
  if (address === undefined || more.length > 0) {
    return { problem: 'must be an IPv4 or IPv6 network such as 10.0.0.0/8 or 2001:db8::/32, or one address' }
  }
  const longest = address.length * 32
  const prefix = bits === undefined ? longest : /^(?:0|[1-9]\d{0,2})$/.test(bits) ? Number(bits) : Number.NaN
  if (!(prefix <= longest)) return { problem: `must have a prefix length from 0 to ${longest} behind the /` }
  const start = masked(address, prefix)
  if (start.join() !== address.join()) {
    const network = `${formatAddress(start)}/${prefix}`
    return { problem: `has bits set behind its prefix: write ${network} for the network or ${written} for one address` }
  }
  return unmapped({ address, prefix })
}

/** `::ffff:a.b.c.d` is how an IPv6 socket shows an IPv4 peer. */
const isMapped = ([a, b, c]: Address) => a === 0 && b === 0 && c === 0xffff

function unmapped({ address, prefix }: Network): Network {
  if (!isMapped(address) || prefix < 96) return { address, prefix }
  return { address: [address[3] as number], prefix: prefix - 96 }
}

const masked = (address: Address, prefix: number): Address =>
  address.map((word, index) => maskedWord(word, bitsOfWord(prefix, index)))

/** The first bits of an address, as something to look up: a number for IPv4, a text for IPv6. */
export const keyOf = (address: Address, prefix: number): number | string =>
  address.length === 1 ? maskedWord(address[0] as number, prefix) : masked(address, prefix).join()

const bitsOfWord = (prefix: number, index: number) => Math.min(32, Math.max(0, prefix - index * 32))

/** The first bits of a word. Shifting by 32 is shifting by 0 in JavaScript. */
export const maskedWord = (word: number, bits: number): number => (bits === 0 ? 0 : (word & (-1 << (32 - bits))) >>> 0)

/** The addresses of a network, or of networks one inside the other. */
interface Range {
  readonly start: Address
  readonly end: Address
}

const rangeOf = ({ address, prefix }: Network): Range => ({
  start: address,
  end: address.map((word, index) => (word | ~maskedWord(-1, bitsOfWord(prefix, index))) >>> 0),
})

function compare(one: Address, other: Address): number {
  for (let at = 0; at < one.length; at++) {
    const difference = (one[at] as number) - (other[at] as number)
    if (difference !== 0) return difference
  }
  return 0
}

/** In order, without those that are inside another one: networks never overlap in part. */
function inOrder(networks: readonly Network[]): readonly Range[] {
  const ranges: Range[] = []
  // Of those that start at one address the widest comes first.
  for (const network of networks.toSorted((a, b) => compare(a.address, b.address) || a.prefix - b.prefix)) {
    const last = ranges.at(-1)
    if (last === undefined || compare(network.address, last.end) > 0) ranges.push(rangeOf(network))
  }
  return ranges
}

/** Only the last range that starts before the address can have it. */
function isIn(ranges: readonly Range[], address: Address): boolean {
  let low = 0
  let high = ranges.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compare((ranges[middle] as Range).start, address) <= 0) low = middle + 1
    else high = middle
  }
  return low > 0 && compare(address, (ranges[low - 1] as Range).end) <= 0
}

/** The text is an address in one of the networks. A mapped IPv6 address is also taken as the IPv4 address that it is. */
export const cidr: Operator = prepared(named => {
  const networks: Network[] = []
  for (const text of Array.isArray(named) ? named : [named]) {
    const network = typeof text === 'string' ? parseNetwork(text) : { problem: 'is no string' }
    if ('problem' in network) return never
    networks.push(network)
  }
  const { v4 = [], v6 = [] } = Object.groupBy(networks, ({ address }) => (address.length === 1 ? 'v4' : 'v6'))
  return containing(inOrder(v4), inOrder(v6))
})

function containing(v4: readonly Range[], v6: readonly Range[]): Predicate {
  return found => {
    const address = typeof found === 'string' ? parseAddress(found) : undefined
    if (address === undefined) return false
    if (address.length === 1) return isIn(v4, address)
    return isIn(v6, address) || (isMapped(address) && isIn(v4, [address[3] as number]))
  }
}
