import type { Field } from './field.ts'
import type { FieldIndex } from './field-index.ts'
import type { Search } from './search.ts'

/** Up to this many fields are all looked at, 20 ns each; of more, those that the alert has. */
const fewFields = 16

/** The fields that a node holds signs of. */
export class FieldSet {
  #indexes: readonly FieldIndex[] = []
  #wide: WideFieldSet | undefined

  get size(): number {
    return this.#wide?.size ?? this.#indexes.length
  }

  get isEmpty(): boolean {
    return this.size === 0
  }

  get(field: Field): FieldIndex | undefined {
    if (this.#wide !== undefined) return this.#wide.get(field)
    const indexes = this.#indexes
    for (let at = 0; at < indexes.length; at++) if ((indexes[at] as FieldIndex).field === field) return indexes[at]
    return undefined
  }

  add(index: FieldIndex): void {
    if (this.#wide !== undefined) this.#wide.add(index)
    else {
      this.#indexes = [...this.#indexes, index]
      if (this.#indexes.length > fewFields) this.#wide = new WideFieldSet(this.#indexes)
    }
  }

  delete(index: FieldIndex): void {
    if (this.#wide === undefined) {
      this.#indexes = this.#indexes.filter(one => one !== index)
      return
    }
    this.#wide.delete(index)
    if (this.#wide.size > fewFields / 2) return
    this.#indexes = [...this.#wide.all()]
    this.#wide = undefined
  }

  /** The signs that the index holds are of other kinds than before. */
  update(index: FieldIndex): void {
    this.#wide?.update(index)
  }

  all(): Iterable<FieldIndex> {
    return this.#wide?.all() ?? this.#indexes
  }

  visit(search: Search): void {
    if (this.#wide !== undefined) {
      this.#wide.visit(search)
      return
    }
    const indexes = this.#indexes
    for (let at = 0; at < indexes.length; at++) (indexes[at] as FieldIndex).visit(search)
  }
}

/** Fields by where they are, so that a thousand teams may each have names of their own for what is in `context`. */
class WideFieldSet {
  readonly #byField = new Map<Field, FieldIndex>()
  readonly #siblings = new Map<Field | undefined, Siblings>()

  constructor(indexes: readonly FieldIndex[]) {
    for (const index of indexes) this.add(index)
  }

  get size(): number {
    return this.#byField.size
  }

  get(field: Field): FieldIndex | undefined {
    return this.#byField.get(field)
  }

  add(index: FieldIndex): void {
    const { parent, scope } = index.field
    this.#byField.set(index.field, index)
    let siblings = this.#siblings.get(parent)
    if (siblings === undefined) {
      siblings = new Siblings(() => (parent === undefined ? scope.root : parent.read()))
      this.#siblings.set(parent, siblings)
    }
    siblings.byName.set(index.field.name, index)
    this.update(index)
  }

  delete(index: FieldIndex): void {
    const { parent, name } = index.field
    this.#byField.delete(index.field)
    const siblings = this.#siblings.get(parent)
    siblings?.byName.delete(name)
    siblings?.always.delete(index)
    if (siblings?.byName.size === 0) this.#siblings.delete(parent)
  }

  update(index: FieldIndex): void {
    const always = this.#siblings.get(index.field.parent)?.always
    if (index.seesAbsence) always?.add(index)
    else always?.delete(index)
  }

  all(): Iterable<FieldIndex> {
    return this.#byField.values()
  }

  visit(search: Search): void {
    for (const siblings of this.#siblings.values()) siblings.visit(search)
  }
}

/** The fields with the same place as their parent. */
class Siblings {
  readonly #read: () => unknown
  readonly byName = new Map<string, FieldIndex>()
  /** Those to look at even if the alert does not have them. */
  readonly always = new Set<FieldIndex>()

  constructor(read: () => unknown) {
    this.#read = read
  }

  visit(search: Search): void {
    if (!this.#visitByName(search)) for (const index of this.byName.values()) index.visit(search)
    else for (const index of this.always) index.visit(search)
  }

  /** False if going by the names that are there is no shorter way, or none at all. */
  #visitByName(search: Search): boolean {
    const holder = this.#read()
    // What is no object has all fields, or none, or some that are not to be seen: as Field.read has it.
    if (typeof holder !== 'object' || holder === null || Array.isArray(holder)) return false
    let left = this.byName.size
    for (const name in holder) {
      if (left-- === 0) return false
      const index = this.byName.get(name)
      if (index !== undefined && !index.seesAbsence) index.visit(search)
    }
    return true
  }
}
