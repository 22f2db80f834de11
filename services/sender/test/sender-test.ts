import { type InProcess, startInProcess } from '@tocsin/testkit/service-in-process'
import { test as base } from '@tocsin/testkit/test'
import { settings } from '../src/config.ts'
import { start } from '../src/start.ts'
import { loseRedisKeys } from './redis-keys.ts'

interface Fixtures {
  /** Starts a sender and waits until it is ready. All of them stop before the servers' things are taken away. */
  startSender(overrides?: Record<string, string>): Promise<InProcess>
}

export const test = base.extend<Fixtures>({
  startSender: async ({ environment }, use) => {
    const senders: InProcess[] = []
    await use(async (overrides = {}) => {
      const sender = startInProcess('sender', start, settings, { ...environment, ...overrides })
      senders.push(sender)
      await sender.untilReady()
      return sender
    })
    await Promise.all(senders.map(sender => sender.stop()))
    await loseRedisKeys(environment)
  },
})
