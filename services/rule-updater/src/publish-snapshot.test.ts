import { createLogger } from '@tocsin/runtime/logger'
import { expect, test } from 'vitest'
import { SnapshotPublisher } from './publish-snapshot.ts'

test('whoever asks while a snapshot is built shares the next one', async () => {
  const { publisher, builds } = observed()
  const first = publisher.publish()
  const sharers = Array.from({ length: 100 }, () => publisher.publish())
  expect(builds).toHaveLength(1)

  builds[0]!.resolve()
  await first
  await soon()
  expect(builds).toHaveLength(2)

  builds[1]!.resolve()
  await Promise.all(sharers)
  expect(builds).toHaveLength(2)
})

test('builds never overlap, also when somebody asks between two of them', async () => {
  const { publisher, builds, running } = observed()
  const asked = [publisher.publish(), publisher.publish()]
  builds[0]!.resolve()
  for (let turn = 0; turn < 5; turn++) {
    await Promise.resolve()
    asked.push(publisher.publish())
    expect(running.max).toBe(1)
  }
  for (let turn = 1; turn < 5; turn++) {
    await soon()
    builds[turn]?.resolve()
  }
  await Promise.all(asked)
  expect(running.max).toBe(1)
})

test('a failed build fails those who waited for it, and not those who wait for the next', async () => {
  const { publisher, builds } = observed()
  const first = publisher.publish()
  const second = publisher.publish()
  builds[0]!.reject(new Error('Redis is away'))
  await expect(first).rejects.toThrow('Redis is away')
  expect(() => publisher.check()).toThrow('Redis is away')

  await soon()
  builds[1]!.resolve()
  await second
  expect(() => publisher.check()).not.toThrow()
})

test('it is not ready before the first snapshot', () => {
  expect(() => observed().publisher.check()).toThrow('no snapshot was built yet')
})

function observed() {
  const builds: { resolve(): void; reject(error: Error): void }[] = []
  const running = { now: 0, max: 0 }
  const publisher = new SnapshotPublisher(
    async () => {
      running.max = Math.max(running.max, ++running.now)
      await new Promise<void>((resolve, reject) => builds.push({ resolve, reject })).finally(() => running.now--)
      return { version: builds.length, rules: 0, published: true }
    },
    createLogger('test', 'silent'),
  )
  return { publisher, builds, running }
}

const soon = () => new Promise(resolve => setImmediate(resolve))
