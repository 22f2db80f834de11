import { AppError } from '@tocsin/runtime/errors'
import { createLogger } from '@tocsin/runtime/logger'
import { expect, test, vi } from 'vitest'
import { type KeepCurrentOptions, keepCurrent } from './keep-current.ts'

test('it builds at once, then only when Redis is behind', async () => {
  const behind = [false, false, true, false]
  const kept = keeping({ isBehind: async () => behind.shift() ?? false })
  await vi.waitFor(() => expect(behind).toEqual([]))
  await kept.stop()
  expect(kept.publish).toHaveBeenCalledTimes(2)
})

test('from time to time it builds although nothing seems to be missing: a deleted rule leaves no trace', async () => {
  const kept = keeping({ isBehind: async () => false, reconcileEveryMs: 20 })
  await vi.waitFor(() => expect(kept.publish.mock.calls.length).toBeGreaterThan(3))
  await kept.stop()
})

test('a build that failed is due again at the next check, not only when the next reconciliation is', async () => {
  const publish = vi.fn<() => Promise<void>>().mockRejectedValueOnce(away).mockResolvedValue()
  const kept = keeping({ isBehind: async () => false, publish })
  await vi.waitFor(() => expect(publish).toHaveBeenCalledTimes(2))
  await kept.stop()
})

test('what a retry may help is retried, a bug ends it', async () => {
  const isBehind = vi.fn<() => Promise<boolean>>().mockRejectedValueOnce(away).mockRejectedValue(new TypeError('a bug'))
  await expect(keeping({ isBehind }).ended).rejects.toThrow('a bug')
  expect(isBehind).toHaveBeenCalledTimes(2)
})

const away = new AppError('redis_unavailable', 'Redis is away', { retryable: true })

function keeping(own: Partial<KeepCurrentOptions> & Pick<KeepCurrentOptions, 'isBehind'>) {
  const abort = new AbortController()
  const publish = vi.fn(own.publish ?? (async () => {}))
  const options = { checkEveryMs: 2, log: createLogger('test', 'silent'), ...own, publish }
  const ended = keepCurrent(options, abort.signal)
  return {
    publish,
    ended,
    stop: () => {
      abort.abort()
      return ended
    },
  }
}
