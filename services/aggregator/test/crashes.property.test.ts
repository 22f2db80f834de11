import { topics } from '@tocsin/contracts/topics'
import { createProducer } from '@tocsin/kafka/producer'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { readTopic } from '@tocsin/testkit/topic-reader'
import fc from 'fast-check'
import { expect } from 'vitest'
import { test } from './aggregator-test.ts'
import { expectNothingElse, expectOnceInEffect, matchesOf, plannedMatches } from './any-matches.ts'
import { makeLanes, sendMatches } from './lanes.ts'
import type { OneMatch } from './matches.ts'
import { type Call, type Crash, type MortalMember, startMember } from './mortal-member.ts'

const lanes = 5
const runsPerLane = 20

/** The first row, the mark or what else Postgres is asked, the record, the commit. */
const crash = fc.oneof(
  fc.record({ call: fc.constant<Call>('postgres'), nth: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ call: fc.constantFrom<Call[]>('publish', 'commit'), nth: fc.constant(1) }),
)
const crashes = fc.array(
  fc.tuple(crash, fc.constantFrom<Crash['when'][]>('before', 'after')).map(([at, when]): Crash => ({ ...at, when })),
  { minLength: 1, maxLength: 2 },
)
const plans = fc.record({ planned: plannedMatches, sends: fc.integer({ min: 1, max: 3 }), crashes })

test('P4, P6: whatever an aggregator was about to do when it died, its successor does it: once in effect, and nothing is lost', {
  timeout: 300_000,
}, async ({ database, environment }) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const producer = createProducer(kafka)
  await using ready = await readTopic(kafka.topic(topics.notificationsReady))
  const all: OneMatch[] = []
  const deaths: string[] = []

  const inLane = async (from: string) => {
    const successors = keepAlive(
      () => startMember({ kafka, database, groupId: from, from, to: kafka.topic(topics.notificationsReady) }),
      deaths,
    )
    const property = fc.asyncProperty(plans, async ({ planned, sends, crashes }) => {
      const matches = matchesOf(planned)
      all.push(...matches)
      successors.dieAt(crashes)
      await sendMatches(producer, from, matches, sends)
      await expectOnceInEffect(database, ready, 9, matches)
    })
    try {
      await fc.assert(property, { numRuns: runsPerLane, endOnFailure: true })
    } finally {
      await successors.stop()
    }
  }
  await Promise.all((await makeLanes(kafka, lanes)).map(inLane))
  await expectNothingElse(database, ready, all)
  await producer.close()
  for (const at of [
    'before postgres',
    'after postgres',
    'before publish',
    'after publish',
    'before commit',
    'after commit',
  ]) {
    expect(deaths.filter(death => death === at).length, at).toBeGreaterThan(2)
  }
})

/** One member at a time, and the next when it dies. */
function keepAlive(start: () => MortalMember, deaths: string[]) {
  let crashes: Crash[] = []
  let isStopping = false
  let member = start()
  const succession = (async () => {
    for (;;) {
      const death = await member.ended
      if (death !== undefined) deaths.push(death)
      if (isStopping) return
      member = start()
      member.dieAt(crashes.shift())
    }
  })()
  return {
    dieAt(next: readonly Crash[]) {
      crashes = [...next]
      member.dieAt(crashes.shift())
    },
    async stop() {
      isStopping = true
      await member.stop()
      await succession
    },
  }
}
