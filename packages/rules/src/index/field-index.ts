import { ElementStore } from './element-store.ts'
import type { Field } from './field.ts'
import { NetworkStore } from './network-store.ts'
import type { Bucket } from './node.ts'
import { RangeStore } from './range-store.ts'
import type { Search } from './search.ts'
import { type Sign, shows } from './sign.ts'
import { AskedStore, EqualStore, type SignStore, SingleStore } from './sign-store.ts'
import { TextBoundStore } from './text-bound-store.ts'
import { EdgeStore, FoldedStore, GramStore } from './text-stores.ts'

/** What is held for the signs of one kind. */
interface Kind {
  readonly shows: number
  readonly store: SignStore<Bucket>
}

const showAbsence: ReadonlySet<number> = new Set([shows.absent, shows.unordered, shows.asked])

/** What a node holds for the signs of one field. */
export class FieldIndex {
  readonly field: Field
  /** Nearly every field has this one, so it has a place of its own, which spares a call. */
  #equal: EqualStore<Bucket> | undefined
  #kinds: Kind[] = []
  #memberKinds: Kind[] = []
  /** Some signs show when there is no value. */
  seesAbsence = false

  constructor(field: Field) {
    this.field = field
  }

  get isEmpty(): boolean {
    return this.#equal === undefined && this.#kinds.length === 0 && this.#memberKinds.length === 0
  }

  has(sign: Sign): boolean {
    return this.#store(sign) !== undefined
  }

  get(sign: Sign): Bucket | undefined {
    return this.#store(sign)?.get(sign)
  }

  set(sign: Sign, bucket: Bucket): void {
    const store = this.#store(sign) ?? this.#open(sign)
    store.set(sign, bucket)
  }

  delete(sign: Sign): void {
    const store = this.#store(sign)
    store?.delete(sign)
    if (store?.isEmpty) this.#close(store)
  }

  visit(search: Search): void {
    const found = this.field.read()
    if (found === undefined && !this.seesAbsence) return
    if (this.#equal !== undefined) this.#equal.visit(found, search)
    const kinds = this.#kinds
    for (let at = 0; at < kinds.length; at++) (kinds[at] as Kind).store.visit(found, search)
    if (this.#memberKinds.length > 0 && Array.isArray(found)) this.#visitMembers(found, search)
  }

  buckets(): Bucket[] {
    const kinds = [...this.#kinds, ...this.#memberKinds]
    return [...(this.#equal?.all() ?? []), ...kinds.flatMap(({ store }) => [...store.all()])]
  }

  #visitMembers(members: readonly unknown[], search: Search): void {
    const kinds = this.#memberKinds
    for (let member = 0; member < members.length; member++) {
      for (let at = 0; at < kinds.length; at++) (kinds[at] as Kind).store.visit(members[member], search)
    }
  }

  #store({ shows: shown, ofMember }: Sign): SignStore<Bucket> | undefined {
    if (shown === shows.equal && !ofMember) return this.#equal
    const kinds = ofMember ? this.#memberKinds : this.#kinds
    for (let at = 0; at < kinds.length; at++) if ((kinds[at] as Kind).shows === shown) return (kinds[at] as Kind).store
    return undefined
  }

  #open({ shows: shown, ofMember }: Sign): SignStore<Bucket> {
    const store = storeFor(shown, this.field)
    if (ofMember) this.#memberKinds = [...this.#memberKinds, { shows: shown, store }]
    else if (store instanceof EqualStore) this.#equal = store
    else this.#setKinds([...this.#kinds, { shows: shown, store }])
    return store
  }

  #close(store: SignStore<Bucket>): void {
    if (store === this.#equal) this.#equal = undefined
    this.#memberKinds = this.#memberKinds.filter(kind => kind.store !== store)
    this.#setKinds(this.#kinds.filter(kind => kind.store !== store))
  }

  #setKinds(kinds: Kind[]): void {
    this.#kinds = kinds
    this.seesAbsence = kinds.some(kind => showAbsence.has(kind.shows))
  }
}

function storeFor(shown: number, field: Field): SignStore<Bucket> {
  switch (shown) {
    case shows.equal:
      return new EqualStore()
    case shows.folded:
      return new FoldedStore()
    case shows.range:
      return new RangeStore()
    case shows.prefix:
    case shows.suffix:
      return new EdgeStore(shown)
    case shows.gram:
      return new GramStore()
    case shows.network:
      return new NetworkStore()
    case shows.textFrom:
    case shows.textTo:
      return new TextBoundStore(shown)
    case shows.element:
      return new ElementStore(field)
    case shows.asked:
      return new AskedStore()
    default:
      return new SingleStore(shown)
  }
}
