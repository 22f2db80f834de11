import { addressesIn, maskWord, networkKey, v4In } from './network-signs.ts'
import { type Sign, shows } from './sign.ts'
import type { Follower, SignStore } from './sign-store.ts'

/** The networks with a prefix of one length. Prefixes that are numbers are of IPv4, those that are texts of IPv6. */
interface Networks<Held> {
  readonly length: number
  readonly held: Map<unknown, Held>
}

/** An address is looked up once for each length of prefix that rules name. */
export class NetworkStore<Held> implements SignStore<Held> {
  readonly shows = shows.network
  readonly #byLength: Networks<Held>[] = []

  get isEmpty(): boolean {
    return this.#byLength.length === 0
  }

  get({ key, low }: Sign): Held | undefined {
    return this.#byLength.find(one => one.length === low)?.held.get(key)
  }

  set({ key, low }: Sign, held: Held): void {
    let networks = this.#byLength.find(one => one.length === low)
    if (networks === undefined) {
      networks = { length: low, held: new Map() }
      this.#byLength.push(networks)
    }
    networks.held.set(key, held)
  }

  delete({ key, low }: Sign): void {
    const at = this.#byLength.findIndex(one => one.length === low)
    const held = this.#byLength[at]?.held
    held?.delete(key)
    if (held?.size === 0) this.#byLength.splice(at, 1)
  }

  visit(found: unknown, follower: Follower<Held>): void {
    if (typeof found !== 'string') return
    const word = v4In(found)
    if (word !== -1) this.#visitV4(word, follower)
    else this.#visitParsed(found, follower)
  }

  #visitParsed(found: string, follower: Follower<Held>): void {
    for (const address of addressesIn(found)) {
      if (address.length === 1) this.#visitV4(address[0] as number, follower)
      else for (const { length, held } of this.#byLength) follow(held.get(networkKey(address, length)), follower)
    }
  }

  all(): Iterable<Held> {
    return this.#byLength.flatMap(({ held }) => [...held.values()])
  }

  #visitV4(word: number, follower: Follower<Held>): void {
    for (let at = 0; at < this.#byLength.length; at++) {
      const { length, held } = this.#byLength[at] as Networks<Held>
      if (length <= 32) follow(held.get(maskWord(word, length)), follower)
    }
  }
}

function follow<Held>(held: Held | undefined, follower: Follower<Held>): void {
  if (held !== undefined) follower.follow(held)
}
