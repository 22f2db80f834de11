import { expect, test } from 'vitest'
import { Readiness } from './readiness.ts'

test('a look that began while a part was still to be added is not ready, though the start has ended meanwhile', async () => {
  const readiness = new Readiness()
  const first = Promise.withResolvers<void>()
  readiness.add('first', () => first.promise)
  const look = readiness.check()
  readiness.add('second', () => {
    throw new Error('not there yet')
  })
  readiness.started()
  first.resolve()
  expect(await look).toMatchObject({ ready: false })
  expect(await readiness.check()).toEqual({
    ready: false,
    checks: { first: { ok: true }, second: { ok: false, error: 'not there yet' } },
  })
})

test('nothing is ready once a stop began, whatever the probes say', async () => {
  const readiness = new Readiness()
  readiness.add('first', () => {})
  readiness.started()
  expect(await readiness.check()).toEqual({ ready: true, checks: { first: { ok: true } } })
  readiness.stop()
  expect(await readiness.check()).toMatchObject({ ready: false, checks: { process: { ok: false, error: 'stopping' } } })
})
