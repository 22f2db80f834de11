import { parseNetwork } from '../cidr.ts'
import { type Address, parseAddress } from '../ip-address.ts'
import type { Field } from './field.ts'
import { extendHash, hashStart, hashText } from './hash.ts'
import { anySign, noSign, Sign, type Signs, shows } from './sign.ts'

/** Of the first `prefix` bits of an address. Those of IPv4 have each a key of their own. */
export function networkKey(address: Address, prefix: number): number {
  if (address.length === 1) return networkKeyV4(address[0] as number, prefix)
  return hashText(address.map((word, at) => maskWord(word, Math.min(32, Math.max(0, prefix - at * 32)))).join())
}

export const networkKeyV4 = (word: number, prefix: number): number => extendHash(hashStart, maskWord(word, prefix))

/** Shifting by 32 is shifting by 0 in JavaScript. The result has a sign, which matters to nobody. */
const maskWord = (word: number, bits: number): number => (bits === 0 ? 0 : word & (-1 << (32 - bits)))

export function networkSigns(field: Field, ofMember: boolean, value: unknown): Signs {
  const signs: Signs[] = []
  for (const text of Array.isArray(value) ? value : [value]) {
    const network = typeof text === 'string' ? parseNetwork(text) : undefined
    // One that cannot be read makes the whole clause false.
    if (network === undefined || 'problem' in network) return noSign
    const { address, prefix } = network
    signs.push(new Sign(field, ofMember, shows.network, networkKey(address, prefix), prefix))
  }
  return anySign(signs)
}

const dot = 46
const zero = 48

/** The plain way to write IPv4, in a tenth of the time that parsing takes; -1 for what is to be parsed. */
function readV4(text: string): number {
  let word = 0
  let octet = -1
  let dots = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === dot) {
      if (octet === -1) return -1
      word = word * 256 + octet
      octet = -1
      dots++
    } else {
      const digit = code - zero
      if (digit < 0 || digit > 9) return -1
      octet = octet === -1 ? digit : octet * 10 + digit
      if (octet > 255) return -1
    }
  }
  return dots === 3 && octet !== -1 ? word * 256 + octet : -1
}

/**
 * The IPv4 address that a text is, as a number, or -1; leading zeros and the like are let through, since the clause is
 * asked in the end.
 */
export function v4In(text: string): number {
  return text.length < 16 ? readV4(text) : -1
}

/** The address in a text that is none in plain IPv4; the IPv4 address in a mapped one comes second. */
export function addressesIn(text: string): readonly Address[] {
  const address = text.includes(':') ? parseAddress(text) : undefined
  if (address === undefined) return []
  const [first, second, third, last] = address
  return first === 0 && second === 0 && third === 0xffff ? [address, [last as number]] : [address]
}
