import { expect, it } from 'vitest'
import { countOutcome } from './vitest-run.ts'

const report = {
  success: true,
  numPassedTests: 7,
  numFailedTests: 0,
  numPendingTests: 2,
  numTodoTests: 1,
  testResults: [{ status: 'passed', assertionResults: [{ status: 'passed' }] }],
}

it('counts what vitest counts', () => {
  expect(countOutcome(report, true)).toEqual({ passed: 7, failed: 0, skipped: 3 })
})

it('a file that cannot be loaded is a failure', () => {
  const testResults = [{ status: 'failed', assertionResults: [] }]
  expect(countOutcome({ ...report, success: false, testResults }, false).failed).toBe(1)
})

it('a failed test is not counted again for its file', () => {
  const testResults = [{ status: 'failed', assertionResults: [{ status: 'failed' }] }]
  expect(countOutcome({ ...report, success: false, numFailedTests: 1, testResults }, false).failed).toBe(1)
})

it('an error outside of any test is a failure', () => {
  expect(countOutcome(report, false).failed).toBe(1)
})
