import type { Bucket } from './buckets.ts'
import { addressesIn, networkKey, networkKeyV4, v4In } from './network-signs.ts'
import { NumberMap } from './number-map.ts'
import { type Sign, shows } from './sign.ts'
import type { Follower, SignStore } from './sign-store.ts'

/** The networks with a prefix of one length. */
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
    return this.#byLength.find(one => one.length === low)?.held.get(key as number) ?? 0
  }

  set({ key, low }: Sign, held: Bucket): void {
    let networks = this.#byLength.find(one => one.length === low)
    if (networks === undefined) {
      networks = { length: low, held: new NumberMap() }
      this.#byLength.push(networks)
    }
    networks.held.set(key as number, held)
  }

  delete({ key, low }: Sign): void {
    const at = this.#byLength.findIndex(one => one.length === low)
    const held = this.#byLength[at]?.held
    held?.delete(key as number)
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
      else for (const { length, held } of this.#byLength) follow(held.get(networkKey(address, length)), follower)
    }
  }

  all(): Iterable<Bucket> {
    return this.#byLength.flatMap(({ held }) => held.buckets())
  }

  #visitV4(word: number, follower: Follower): void {
    for (let at = 0; at < this.#byLength.length; at++) {
      const { length, held } = this.#byLength[at] as Networks
      if (length <= 32) follow(held.get(networkKeyV4(word, length)), follower)
    }
  }
}

function follow(held: Bucket, follower: Follower): void {
  if (held !== 0) follower.follow(held)
}
