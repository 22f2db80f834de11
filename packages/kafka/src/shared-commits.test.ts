import { expect, it } from 'vitest'
import { type CommitRequest, SharedCommits } from './shared-commits.ts'

const always = () => true
const commitOf = (partition: number, offset = '5', topic = 'a') => ({ topic, partition, offset })

/** Takes requests, and holds each until it is told how it ends. */
function broker() {
  const requests: { request: CommitRequest; answer: PromiseWithResolvers<void> }[] = []
  const commits = new SharedCommits(request => {
    const answer = Promise.withResolvers<void>()
    requests.push({ request, answer })
    return answer.promise
  })
  const untilAsked = async (count: number) => {
    while (requests.length < count) await new Promise(setImmediate)
  }
  return { commits, requests, untilAsked }
}

it('sends what is committed in one turn as one request, topic by topic', async () => {
  const { commits, requests, untilAsked } = broker()
  const done = [commitOf(0), commitOf(1, '7'), commitOf(0, '9', 'b')].map(commit => commits.commit(commit, always))
  await untilAsked(1)
  requests[0]!.answer.resolve()
  await Promise.all(done)
  const ofA = [
    { partition: 0, offset: '5' },
    { partition: 1, offset: '7' },
  ]
  const topics = [
    { topic: 'a', partitions: ofA },
    { topic: 'b', partitions: [{ partition: 0, offset: '9' }] },
  ]
  expect(requests.map(({ request }) => request)).toEqual([{ topics }])
})

it('sends what comes while a request is under way with the next one', async () => {
  const { commits, requests, untilAsked } = broker()
  const first = commits.commit(commitOf(0), always)
  await untilAsked(1)
  const others = [1, 2].map(partition => commits.commit(commitOf(partition), always))
  requests[0]!.answer.resolve()
  await first
  await untilAsked(2)
  requests[1]!.answer.resolve()
  await Promise.all(others)
  expect(requests[1]!.request.topics[0]!.partitions.map(({ partition }) => partition)).toEqual([1, 2])
})

it('leaves out a commit that has become void while it waited', async () => {
  const { commits, requests, untilAsked } = broker()
  let generation = 1
  const ofGeneration = (wanted: number) => () => generation === wanted
  const first = commits.commit(commitOf(0), ofGeneration(1))
  await untilAsked(1)
  const stale = commits.commit(commitOf(1), ofGeneration(1))
  generation = 2
  const fresh = commits.commit(commitOf(2), ofGeneration(2))
  requests[0]!.answer.resolve()
  await Promise.all([first, untilAsked(2)])
  requests[1]!.answer.resolve()
  await Promise.all([stale, fresh])
  expect(requests[1]!.request.topics[0]!.partitions.map(({ partition }) => partition)).toEqual([2])
})

it('tells a failure to all that shared the request, and goes on', async () => {
  const { commits, requests, untilAsked } = broker()
  const failing = Promise.allSettled([0, 1].map(partition => commits.commit(commitOf(partition), always)))
  await untilAsked(1)
  requests[0]!.answer.reject(new Error('away'))
  expect((await failing).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  const again = commits.commit(commitOf(0), always)
  await untilAsked(2)
  requests[1]!.answer.resolve()
  await again
})
