import type { Bucket } from './buckets.ts'
import { ElementStore } from './element-store.ts'
import type { Field } from './field.ts'
import { FoldingStore, ListedStore } from './inner-store.ts'
import { NetworkStore } from './network-store.ts'
import { RangeStore } from './range-store.ts'
import type { Search } from './search.ts'
import { type Sign, shows } from './sign.ts'
import { AskedStore, EqualStore, type SignStore, SingleStore } from './sign-store.ts'
import { TextBoundStore } from './text-bound-store.ts'
import { EdgeStore, FoldedStore, GramStore } from './text-stores.ts'

const none: readonly SignStore[] = []

const showAbsence: ReadonlySet<number> = new Set([
  ...[shows.absent, shows.unordered, shows.asked, shows.noList, shows.noElements],
])

/** What a node holds for the signs of one field. */
export class FieldIndex {
  readonly field: Field
  /** Nearly every field has this one, so it has a place of its own, which spares a call. */
  #equal: EqualStore | undefined
  #stores: readonly SignStore[] = none
  #memberStores: readonly SignStore[] = none
  /** Some signs show when there is no value. */
  seesAbsence = false

  constructor(field: Field) {
    this.field = field
  }

  get isEmpty(): boolean {
    return this.#equal === undefined && this.#stores.length === 0 && this.#memberStores.length === 0
  }

  has(sign: Sign): boolean {
    return this.#store(sign) !== undefined
  }

  /** 0 if there is nothing. */
  get(sign: Sign): Bucket {
    return this.#store(sign)?.get(sign) ?? 0
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
    if (this.#stores.length > 0 || this.#memberStores.length > 0) this.#visitOthers(search)
    if (this.#equal !== undefined) this.#equal.visitId(this.field.valueId(), search)
  }

  #visitOthers(search: Search): void {
    const found = this.field.read()
    if (found === undefined && !this.seesAbsence) return
    const stores = this.#stores
    for (let at = 0; at < stores.length; at++) (stores[at] as SignStore).visit(found, search)
    if (this.#memberStores.length > 0 && Array.isArray(found)) this.#visitMembers(found, search)
  }

  buckets(): Bucket[] {
    return this.#all().flatMap(store => [...store.all()])
  }

  /** It is not used any more. */
  clear(): void {
    for (const store of this.#all()) store.clear?.()
  }

  #visitMembers(members: readonly unknown[], search: Search): void {
    const stores = this.#memberStores
    for (let member = 0; member < members.length; member++) {
      for (let at = 0; at < stores.length; at++) {
        ;(stores[at] as SignStore).visit(members[member], search)
      }
    }
  }

  #all(): SignStore[] {
    const stores = [...this.#stores, ...this.#memberStores]
    return this.#equal === undefined ? stores : [this.#equal, ...stores]
  }

  #store({ shows: shown, ofMember }: Sign): SignStore | undefined {
    if (shown === shows.equal && !ofMember) return this.#equal
    return (ofMember ? this.#memberStores : this.#stores).find(store => store.shows === shown)
  }

  #open({ shows: shown, ofMember }: Sign): SignStore {
    const store = storeFor(shown, this.field)
    if (ofMember) this.#memberStores = [...this.#memberStores, store]
    else if (store instanceof EqualStore) this.#equal = store
    else this.#setStores([...this.#stores, store])
    return store
  }

  #close(store: SignStore): void {
    if (store === this.#equal) this.#equal = undefined
    this.#memberStores = this.#memberStores.filter(one => one !== store)
    this.#setStores(this.#stores.filter(one => one !== store))
  }

  #setStores(stores: readonly SignStore[]): void {
    this.#stores = stores
    this.seesAbsence = stores.some(store => showAbsence.has(store.shows))
  }
}

function storeFor(shown: number, field: Field): SignStore {
  switch (shown) {
    case shows.equal:
      return new EqualStore(field.values)
    case shows.folded:
      return new FoldedStore(shown)
    case shows.range:
      return new RangeStore()
    case shows.prefix:
    case shows.suffix:
      return new EdgeStore(shown)
    case shows.gram:
      return new GramStore(shown)
    case shows.foldedPrefix:
      return new FoldingStore(shown, new EdgeStore(shows.prefix))
    case shows.foldedSuffix:
      return new FoldingStore(shown, new EdgeStore(shows.suffix))
    case shows.foldedGram:
      return new FoldingStore(shown, new GramStore(shows.gram))
    case shows.network:
      return new NetworkStore()
    case shows.textFrom:
    case shows.textTo:
      return new TextBoundStore(shown)
    case shows.element:
      return new ElementStore(field)
    case shows.listed:
      return new ListedStore(shown, new EqualStore(field.values))
    case shows.asked:
    case shows.askedIfPresent:
    case shows.askedIfList:
    case shows.askedIfText:
      return new AskedStore(shown, field.scope.patterns.clauses)
    default:
      return new SingleStore(shown)
  }
}
