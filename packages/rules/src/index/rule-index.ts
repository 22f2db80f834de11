import type { Condition } from '../language.ts'
import { Buckets } from './buckets.ts'
import { Node } from './node.ts'
import { normalParts } from './normal-form.ts'
import { signsOfPattern } from './pattern-signs.ts'
import { Patterns } from './patterns.ts'
import { Search } from './search.ts'

/**
 * The first rules are held for signs that were chosen when little was known of the values that rules name. When there
 * are this many for the first time since they were half as many, all are put in again; later a bad choice costs little,
 * since a crowded sign gets a node.
 */
const planAt = [64, 512, 4_096]

/** Rules by what they ask, found by what alerts show. */
export class RuleIndex {
  readonly #patterns = new Patterns()
  readonly #search = new Search(this.#patterns)
  readonly #byId = new Map<string, number>()
  /** The ids of the rules of each pattern. Nearly always it is one. */
  readonly #rules: (string | Set<string> | undefined)[] = [undefined]
  #root = new Node(new Buckets(this.#patterns))
  /** For how many of the sizes in `planAt` that has been done. */
  #plans = 0

  get size(): number {
    return this.#byId.size
  }

  /** What there is of each kind of thing: all of them 0 when there are no rules. */
  get extent(): Readonly<Record<'patterns' | 'held' | 'clauses' | 'facts' | 'fields', number>> {
    const { size, clauses, scope } = this.#patterns
    const held = new Set<number>()
    this.#root.collect(held)
    const fields = this.#root.fieldCount
    return { patterns: size, held: held.size, clauses: clauses.size, facts: scope.factCount, fields }
  }

  /** Changes nothing when it throws. */
  add(id: string, condition: Condition): void {
    const { pattern, isNew } = this.#patterns.share(normalParts(condition))
    const before = this.#byId.get(id)
    if (before === pattern) return
    if (isNew) this.#hold(pattern)
    if (before !== undefined) this.remove(id)
    this.#addRule(pattern, id)
    this.#byId.set(id, pattern)
    if (this.#patterns.size >= (planAt[this.#plans] ?? Number.POSITIVE_INFINITY)) this.#plan()
  }

  remove(id: string): void {
    const pattern = this.#byId.get(id)
    if (pattern === undefined) return
    this.#byId.delete(id)
    if (!this.#removeRule(pattern, id)) return
    this.#root.remove(pattern, signsOfPattern(this.#patterns, pattern))
    this.#patterns.release(pattern)
    while (this.#patterns.size * 2 < (planAt[this.#plans - 1] ?? 0)) this.#plans--
  }

  match(alert: object): string[] {
    const search = this.#search
    search.run(this.#root, alert)
    // As long as it most likely will be: an array that grows by itself takes room for 17.
    const ids = new Array<string>(search.count)
    let count = 0
    for (let at = 0; at < search.count; at++) {
      const rules = this.#rules[search.matched[at] as number]
      if (typeof rules === 'string') ids[count++] = rules
      else for (const id of rules ?? []) ids[count++] = id
    }
    if (count < search.count) ids.length = count
    search.end()
    return ids
  }

  #addRule(pattern: number, id: string): void {
    const rules = this.#rules[pattern]
    if (rules === undefined) this.#rules[pattern] = id
    else if (typeof rules === 'string') this.#rules[pattern] = new Set([rules, id])
    else rules.add(id)
  }

  /** Returns true if it was the last one. */
  #removeRule(pattern: number, id: string): boolean {
    const rules = this.#rules[pattern]
    if (rules instanceof Set) {
      rules.delete(id)
      if (rules.size === 1) for (const last of rules) this.#rules[pattern] = last
      return false
    }
    this.#rules[pattern] = undefined
    if (this.#byId.size === 0) this.#rules.length = 1
    return true
  }

  #hold(pattern: number): void {
    try {
      this.#root.add(pattern, signsOfPattern(this.#patterns, pattern))
    } catch (error) {
      this.#patterns.release(pattern)
      throw error
    }
  }

  #plan(): void {
    this.#plans++
    const root = new Node(new Buckets(this.#patterns))
    this.#patterns.forEach(pattern => {
      root.add(pattern, signsOfPattern(this.#patterns, pattern))
    })
    this.#root.clear()
    this.#root = root
  }
}
