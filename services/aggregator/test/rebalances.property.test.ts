import { setTimeout as sleep } from 'node:timers/promises'
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
import { type MortalMember, startMember } from './mortal-member.ts'

const lanes = 25
const runsPerLane = 4
const membersMax = 3

/** `kill` and `cut off` cost the 6 s of a session each, so there are few of them. */
type Event = 'join' | 'leave' | 'kill' | 'cut off'
const events = fc.record({
  event: fc.oneof(
    { weight: 10, arbitrary: fc.constantFrom<Event[]>('join', 'leave') },
    { weight: 1, arbitrary: fc.constantFrom<Event[]>('kill', 'cut off') },
  ),
  member: fc.nat(),
  afterMs: fc.integer({ min: 0, max: 150 }),
})
const plans = fc.record({ planned: plannedMatches, events: fc.array(events, { minLength: 1, maxLength: 2 }) })

test('P4, P18: whoever joins, leaves, is killed or cut off while matches flow, each comes to its notification once, and none is lost', {
  timeout: 300_000,
}, async ({ database, environment }) => {
  const kafka = testKafka(environment.KAFKA_TOPIC_PREFIX!)
  const producer = createProducer(kafka)
  const to = kafka.topic(topics.notificationsReady)
  await using ready = await readTopic(to)
  const all: OneMatch[] = []
  const happened: Event[] = []

  const inLane = async (from: string) => {
    const group = membersOf(() => startMember({ kafka, database, groupId: from, from, to }))
    const property = fc.asyncProperty(plans, async ({ planned, events }) => {
      const matches = matchesOf(planned)
      all.push(...matches)
      await sendMatches(producer, from, matches, events.length, async send => {
        const { event, member, afterMs } = events[send]!
        await sleep(afterMs)
        happened.push(group.let(event, member))
      })
      await expectOnceInEffect(database, ready, 9, matches)
    })
    try {
      await fc.assert(property, { numRuns: runsPerLane, endOnFailure: true })
    } finally {
      await group.stop()
    }
  }
  await Promise.all((await makeLanes(kafka, lanes)).map(inLane))
  await expectNothingElse(database, ready, all)
  await producer.close()
  for (const event of ['join', 'leave', 'kill', 'cut off'] as const) expect(happened, event).toContain(event)
})

function membersOf(start: () => MortalMember) {
  const members = [start()]
  const gone: MortalMember[] = []
  return {
    /** There is one member at least and `membersMax` at most, so a leave may become a join, or the reverse. */
    let(event: Event, which: number): Event {
      if (event === 'join' && members.length === membersMax) return this.let('leave', which)
      if (event === 'join' || members.length === 1) members.push(start())
      if (event === 'join') return event
      const [member] = members.splice(which % (members.length - 1), 1) as [MortalMember]
      gone.push(member)
      if (event === 'leave') void member.stop()
      else if (event === 'kill') member.kill()
      else member.cutOff()
      return event
    },
    async stop() {
      await Promise.all([...members, ...gone].map(member => member.stop()))
    },
  }
}
