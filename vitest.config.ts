import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files that mostly wait (for whole stacks to start, for sessions, leases and silent connections to end) and take half a
 * minute or more. They come first, so that none is left over when everything else is done, and those that start a stack
 * of their own apart from each other, because starting is what they need the machine for.
 */
const longest = [
  'test/tocsin-cli.test.ts',
  'packages/kafka/test/group.test.ts',
  'packages/redis/test/connection.test.ts',
  'test/server-kill.test.ts',
  'services/sender/test/redis-moves.test.ts',
  'services/rule-service/test/relay.test.ts',
  'test/restart.test.ts',
  'services/rule-updater/test/processes.test.ts',
  'test/snapshot-command.test.ts',
  'test/dead-letters-command.test.ts',
  'test/pipeline.test.ts',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = longest.findIndex(file => moduleId.endsWith(`/${file}`))
      return index < 0 ? longest.length : index
    }
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b))
  }
}

/**
 * More than the two cores that we count on, because files wait for more than half of their time; one more, and tests
 * that need the processor come too late. The same for both kinds on servers, so that they fill each other's gaps.
 */
const onServers = { maxWorkers: 3, sequence: { groupOrder: 1 } }

/**
 * Three kinds of tests by where they lie. `unit` needs no server and takes seconds; the other two need the real servers
 * that `./tocsin test` starts.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{packages,services}/*/src/**/*.test.ts', '{scripts,bench}/**/*.test.ts'],
          // These need the processor and nothing else; the default leaves one core of two to nobody.
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'service',
          include: ['{packages,services}/*/test/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          ...onServers,
        },
      },
      {
        test: {
          name: 'system',
          include: ['test/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          ...onServers,
        },
      },
    ],
  },
})
