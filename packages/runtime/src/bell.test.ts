import { getEventListeners } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { Bell } from './bell.ts'

const never = new AbortController().signal
/** Whether a wait that ends by itself after a minute is over a moment later. */
const isOver = (waiting: Promise<void>) => Promise.race([waiting.then(() => true), sleep(50).then(() => false)])

it('rings for whoever waits, once', async () => {
  const bell = new Bell()
  const waiting = bell.wait(60_000, never)
  bell.ring()
  await waiting
  expect(await isOver(bell.wait(60_000, never))).toBe(false)
})

it('many rings while nobody waits end the next wait, and only that', async () => {
  const bell = new Bell()
  for (let rings = 0; rings < 1_000; rings++) bell.ring()
  await bell.wait(60_000, never)
  expect(await isOver(bell.wait(60_000, never))).toBe(false)
})

it('a wait ends by itself, and a ring after it ends the next one', async () => {
  const bell = new Bell()
  await bell.wait(1, never)
  bell.ring()
  await bell.wait(60_000, never)
})

it('a wait ends when stopping begins, and leaves nothing on the signal', async () => {
  const bell = new Bell()
  const stopping = new AbortController()
  for (let waits = 0; waits < 20; waits++) await bell.wait(1, stopping.signal)
  expect(getEventListeners(stopping.signal, 'abort')).toHaveLength(0)
  const waiting = bell.wait(60_000, stopping.signal)
  stopping.abort()
  await waiting
  await bell.wait(60_000, stopping.signal)
})
