import type { Redis } from '@tocsin/redis/connection'
import { pause } from '@tocsin/runtime/backoff'
import { expect } from 'vitest'
import { readSnapshot } from './private-places.ts'

/** A reader that looks all the time, and never sees a lower version, an older rule, or a snapshot that is not whole. */
export function watchSnapshots(redis: Redis, prefix: string) {
  const over = new AbortController()
  const rules = new Map<string, number>()
  const watch = {
    snapshots: 0,
    async [Symbol.asyncDispose]() {
      over.abort()
      await watching
    },
  }
  const look = async (version: number): Promise<number> => {
    const snapshot = await readSnapshot(redis, prefix)
    if (snapshot === undefined || snapshot.manifest.version === version) return version
    watch.snapshots++
    expect(snapshot.manifest.version).toBeGreaterThan(version)
    for (const rule of snapshot.rules) {
      expect(rule.version, rule.rule_id).toBeGreaterThanOrEqual(rules.get(rule.rule_id) ?? 0)
      rules.set(rule.rule_id, rule.version)
    }
    return snapshot.manifest.version
  }
  const watching = (async () => {
    for (let version = 0; !over.signal.aborted; await pause(2, over.signal)) version = await look(version)
  })()
  watching.catch(() => {}) // told when the watch ends
  return watch
}
