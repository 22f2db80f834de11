import { type InProcess, startInProcess } from '@tocsin/testkit/service-in-process'
import { test as base } from '@tocsin/testkit/test'
import { settings } from '../src/config.ts'
import { start } from '../src/start.ts'

interface Fixtures {
  /** Starts an aggregator and waits until it is ready. All of them stop before the servers' things are taken away. */
  startAggregator(overrides?: Record<string, string>): Promise<InProcess>
}

export const test = base.extend<Fixtures>({
  startAggregator: async ({ environment }, use) => {
    const aggregators: InProcess[] = []
    await use(async (overrides = {}) => {
      const aggregator = startInProcess('aggregator', start, settings, { ...environment, ...overrides })
      aggregators.push(aggregator)
      await aggregator.untilReady()
      return aggregator
    })
    await Promise.all(aggregators.map(aggregator => aggregator.stop()))
  },
})
