import { expect, test } from 'vitest'
import { outcomeOfFailure, verdictOfStatus } from './verdict.ts'

const table: [from: number, to: number, verdict: string][] = [
  [100, 199, 'retry'],
  [200, 299, 'delivered'],
  [300, 399, 'retry'],
  [400, 407, 'permanent'],
  [408, 408, 'retry'],
  [409, 428, 'permanent'],
  [429, 429, 'retry'],
  [430, 499, 'permanent'],
  [500, 599, 'retry'],
]

test.each(table)('every status from %i to %i: %s', (from, to, verdict) => {
  for (let status = from; status <= to; status++)
    expect([status, verdictOfStatus(status).verdict]).toEqual([status, verdict])
})

test('every answer but success has an error code', () => {
  for (let status = 100; status < 600; status++) {
    const { verdict, errorCode } = verdictOfStatus(status)
    expect(errorCode === undefined).toBe(verdict === 'delivered')
  }
})

test('a failure without an answer is retried, and says what failed', () => {
  const running = new AbortController().signal
  const failed = (code: string) => new TypeError('fetch failed', { cause: Object.assign(new Error(), { code }) })
  expect(outcomeOfFailure(failed('ECONNREFUSED'), running)).toMatchObject({
    verdict: 'retry',
    errorCode: 'connection_failed',
  })
  expect(outcomeOfFailure(failed('ENOTFOUND'), running)).toMatchObject({ verdict: 'retry', errorCode: 'dns_failed' })
  expect(outcomeOfFailure(failed('CERT_HAS_EXPIRED'), running)).toMatchObject({
    verdict: 'retry',
    errorCode: 'tls_failed',
  })
  expect(outcomeOfFailure(new Error('anything'), AbortSignal.abort())).toEqual({
    verdict: 'retry',
    errorCode: 'timeout',
  })
})
