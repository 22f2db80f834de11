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

test.each([
  ['ECONNREFUSED', 'connection_failed'],
  ['ENOTFOUND', 'dns_failed'],
  ['CERT_HAS_EXPIRED', 'tls_failed'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tls_failed'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tls_failed'],
  ['HPE_INVALID_CONSTANT', 'bad_answer'],
])('a failure without an answer (%s) is retried, and is told as %s', (code, errorCode) => {
  const failure = Object.assign(new Error('failed'), { code })
  expect(outcomeOfFailure(failure, new AbortController().signal)).toEqual({ verdict: 'retry', errorCode, reply: code })
})

test('a request that took too long is a timeout, whatever it failed with', () => {
  expect(outcomeOfFailure(new Error('aborted'), AbortSignal.abort())).toEqual({
    verdict: 'retry',
    errorCode: 'timeout',
  })
})
