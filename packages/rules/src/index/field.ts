import { FieldValues } from './field-values.ts'
import type { Patterns } from './patterns.ts'
import { Slots } from './slots.ts'

/** Names that every object and array inherits: for these alone an own member must be told from an inherited one. */
const isInherited = (name: string) => name in Object.prototype || name in Array.prototype

/** The text as V8 keeps names of members. A part cut out of a path is found 10 times slower each time it is used. */
const asKey = (name: string) => Object.keys({ [name]: true })[0] as string

/**
 * One place in an alert: a fact, or a step further from another place. Its value is read once per alert, however many
 * clauses ask for it: reading is 10 to 20 ns, a look at `stamp` is 1.
 */
export class Field {
  readonly scope: Scope
  readonly parent: Field | undefined
  readonly name: string
  readonly #fact: Field
  readonly #isGuarded: boolean
  #stamp = 0
  #value: unknown = undefined
  #idStamp = 0
  #id = 0
  /** Among the fields of the scope. */
  readonly number: number
  #values: FieldValues | undefined
  /** The steps further from here, by name. */
  steps: Map<string, Field> | undefined
  /** What the clauses with `element` ask of the members of this field's list. */
  members: Patterns | undefined
  /** The clauses and the steps further that hang on this field. */
  uses = 0
  /** About how many different values rules name for it: the more, the fewer rules an alert's own value leaves. */
  namedValues = 0

  constructor(scope: Scope, parent: Field | undefined, name: string) {
    this.scope = scope
    this.parent = parent
    this.number = scope.fields.take(this)
    this.name = asKey(name)
    this.#fact = parent === undefined ? this : parent.#fact
    this.#isGuarded = isInherited(name)
  }

  read(): unknown {
    if (this.#stamp === this.scope.epoch) return this.#value
    this.#stamp = this.scope.epoch
    this.#value = this.#find()
    return this.#value
  }

  /** Those that rules name for it, where it is looked up by them. */
  get values(): FieldValues {
    this.#values ??= new FieldValues()
    return this.#values
  }

  /** The number of the value among `values`, or 0. */
  valueId(): number {
    if (this.#idStamp === this.scope.epoch) return this.#id
    this.#idStamp = this.scope.epoch
    // Not by `read`: to keep a new text in an old object costs the garbage collector, and the number is all that is asked for.
    const found = this.#stamp === this.scope.epoch ? this.#value : this.#find()
    this.#id = this.#values === undefined ? 0 : this.#values.idOf(found)
    return this.#id
  }

  #find(): unknown {
    const { parent } = this
    const holder = parent === undefined ? this.scope.root : parent.read()
    if (typeof holder === 'object' && holder !== null) {
      if (this.#isGuarded && !Object.hasOwn(holder, this.name)) return undefined
      return (holder as Record<string, unknown>)[this.name]
    }
    // As readPath has it: a path on a scalar fact gives the fact; further in, a text that is not empty has members.
    const fact = parent === undefined ? undefined : this.#fact.read()
    if (typeof fact !== 'object' || fact === null) return fact
    if (typeof holder !== 'string' || holder === '' || !Object.hasOwn(holder as unknown as object, this.name))
      return undefined
    return (holder as unknown as Record<string, unknown>)[this.name]
  }

  /** For when the numbers of alerts begin again. */
  forget(): void {
    this.#stamp = 0
    this.#idStamp = 0
    for (const field of this.steps?.values() ?? []) field.forget()
  }
}

/** From here on the numbers begin again: what is still a small integer to V8, and is kept in place, is below 2^31. */
const lastEpoch = 2 ** 30

/** What clauses are about: the alert, or, for the conditions of `element`, one member of an array after the other. */
export class Scope {
  root: unknown = undefined
  /** The number of the alert. A value or verdict that bears another number is from an alert before. */
  epoch = 1
  readonly fields = new Slots<Field>()
  /** Of what is asked here. */
  readonly patterns: Patterns
  readonly #facts = new Map<string, Field>()

  constructor(patterns: Patterns) {
    this.patterns = patterns
  }

  /** Returns true when the numbers have begun again, and whatever bears one must be told to forget it. */
  begin(root: unknown): boolean {
    this.root = root
    if (++this.epoch < lastEpoch) return false
    this.epoch = 1
    for (const field of this.#facts.values()) field.forget()
    return true
  }

  /** Adds one use, which `release` takes back. */
  field(fact: string, steps: readonly string[]): Field {
    let field = this.#step(undefined, fact)
    for (const name of steps) field = this.#step(field, name)
    field.uses++
    return field
  }

  release(field: Field): void {
    field.uses--
    if (field.uses > 0) return
    const { parent } = field
    const siblings = parent === undefined ? this.#facts : parent.steps
    siblings?.delete(field.name)
    this.fields.release(field.number)
    if (parent === undefined) return
    if (parent.steps?.size === 0) parent.steps = undefined
    this.release(parent)
  }

  get factCount(): number {
    return this.#facts.size
  }

  #step(parent: Field | undefined, name: string): Field {
    if (parent !== undefined) parent.steps ??= new Map()
    const siblings = parent?.steps ?? this.#facts
    let field = siblings.get(name)
    if (field === undefined) {
      field = new Field(this, parent, name)
      siblings.set(name, field)
      if (parent !== undefined) parent.uses++
    }
    return field
  }
}
