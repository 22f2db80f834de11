import { keyOf, maskedWord, parseNetwork } from '../cidr.ts'
import { type Address, parseAddress, parseV4 } from '../ip-address.ts'
import type { Field } from './field.ts'
import { extendHash, hashStart, hashText } from './hash.ts'
import { anySign, noSign, Sign, type Signs, shows } from './sign.ts'

/** Of the first `prefix` bits of an address. Those of IPv4 have each a key of their own. */
export function networkKey(address: Address, prefix: number): number {
  if (address.length === 1) return networkKeyV4(address[0] as number, prefix)
  return hashText(keyOf(address, prefix) as string)
}

export const networkKeyV4 = (word: number, prefix: number): number => extendHash(hashStart, maskedWord(word, prefix))

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

/** The IPv4 address that a text is, as a number, or -1. */
export function v4In(text: string): number {
  return text.length < 16 ? (parseV4(text) ?? -1) : -1
}

/** The address in a text that is none in plain IPv4; the IPv4 address in a mapped one comes second. */
export function addressesIn(text: string): readonly Address[] {
  const address = text.includes(':') ? parseAddress(text) : undefined
  if (address === undefined) return []
  const [first, second, third, last] = address
  return first === 0 && second === 0 && third === 0xffff ? [address, [last as number]] : [address]
}
