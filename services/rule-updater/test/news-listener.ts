import { once } from 'node:events'
import type { SnapshotNews, SnapshotRule } from '@tocsin/contracts/snapshot'
import { subscribeToSnapshots } from '@tocsin/redis/snapshot-news'
import type { Places } from '../src/places.ts'
import type { ReadSnapshot } from './private-places.ts'

/** Does what it is told, as an evaluator does, and must read when it has missed a word. */
export class NewsListener implements AsyncDisposable {
  /** How many news were about what it had. */
  used = 0
  /** It has heard of what it cannot make of its rules. */
  isBehind = true
  /** Called with the rules after each of them. */
  onRules: (version: number, rules: SnapshotRule[]) => void = () => {}
  /** In the order of their ids. */
  rules: SnapshotRule[] = []
  readonly #close: () => void
  #name = { version: -1, hash: '' }

  private constructor(close: () => void) {
    this.#close = close
  }

  static async listen({ redis, prefix, log }: Places): Promise<NewsListener> {
    const subscriber = redis.duplicate()
    const listener = new NewsListener(() => subscriber.disconnect())
    await once(subscriber, 'ready')
    const subscribed = Promise.withResolvers<void>()
    subscribeToSnapshots(subscriber, prefix, log, news => {
      subscribed.resolve()
      if (news !== undefined) listener.#hear(news)
      else listener.isBehind = true
    })
    await subscribed.promise
    return listener
  }

  /** What somebody has read; of no interest to whom it was told. */
  read({ manifest: { version, hash }, rules }: ReadSnapshot): void {
    if (version < this.#name.version) return
    this.isBehind = false
    this.#name = { version, hash }
    this.rules = rules
  }

  #hear({ version, hash, base, chunks }: SnapshotNews): void {
    if (base.version !== this.#name.version || base.hash !== this.#name.hash) {
      this.isBehind = true
      return
    }
    const rules = new Map(this.rules.map(rule => [rule.rule_id, rule]))
    for (const { rule_id, json } of chunks.flatMap(chunk => chunk.rules)) {
      if (json === undefined) rules.delete(rule_id)
      else rules.set(rule_id, JSON.parse(json))
    }
    this.rules = [...rules.values()].sort((a, b) => (a.rule_id < b.rule_id ? -1 : 1))
    this.#name = { version, hash }
    this.used++
    this.onRules(version, this.rules)
  }

  get version(): number {
    return this.#name.version
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close()
  }
}
