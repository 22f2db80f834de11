import type { Bucket } from './buckets.ts'
import { hashText, spread } from './hash.ts'
import { addressesIn, maskWord, networkKey, v4In } from './network-signs.ts'
import { NumberMap } from './number-map.ts'
import { type Sign, shows } from './sign.ts'
import type { Follower, SignStore } from './sign-store.ts'

/** Prefixes of the same length that are numbers never share a hash. */
const hashOf = (key: unknown) => (typeof key === 'number' ? spread(key) : hashText(key as string))

/** The networks with a prefix of one length. Prefixes that are numbers are of IPv4, those that are texts of IPv6. */
interface Networks {
  readonly length: number
  readonly held: NumberMap
}

/** An address is looked up once for each length of prefix that rules name. */
export class NetworkStore implements SignStore {
  readonly shows = shows.network
  readonly #byLength: Networks[] = []

  get isEmpty(): boolean {
    return this.#byLength.length === 0
  }

  get({ key, low }: Sign): Bucket {
    return this.#byLength.find(one => one.length === low)?.held.get(hashOf(key)) ?? 0
  }

  set({ key, low }: Sign, held: Bucket): void {
    let networks = this.#byLength.find(one => one.length === low)
    if (networks === undefined) {
      networks = { length: low, held: new NumberMap() }
      this.#byLength.push(networks)
    }
    networks.held.set(hashOf(key), held)
  }

  delete({ key, low }: Sign): void {
    const at = this.#byLength.findIndex(one => one.length === low)
    const held = this.#byLength[at]?.held
    held?.delete(hashOf(key))
    if (held?.size === 0) this.#byLength.splice(at, 1)
  }

  visit(found: unknown, follower: Follower): void {
    if (typeof found !== 'string') return
    const word = v4In(found)
    if (word !== -1) this.#visitV4(word, follower)
    else this.#visitParsed(found, follower)
  }

  #visitParsed(found: string, follower: Follower): void {
    for (const address of addressesIn(found)) {
      if (address.length === 1) this.#visitV4(address[0] as number, follower)
      else
        for (const { length, held } of this.#byLength) follow(held.get(hashOf(networkKey(address, length))), follower)
    }
  }

  all(): Iterable<Bucket> {
    return this.#byLength.flatMap(({ held }) => held.buckets())
  }

  #visitV4(word: number, follower: Follower): void {
    for (let at = 0; at < this.#byLength.length; at++) {
      const { length, held } = this.#byLength[at] as Networks
      if (length <= 32) follow(held.get(spread(maskWord(word, length))), follower)
    }
  }
}

function follow(held: Bucket, follower: Follower): void {
  if (held !== 0) follower.follow(held)
}
