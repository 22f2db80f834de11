import { expect, it } from 'vitest'
import { createLogFormat } from './log-line.ts'

const format = createLogFormat({ colored: false })

it('shows when, how bad, what, and the fields that the prefix does not say', () => {
  const line = JSON.stringify({
    level: 'warn',
    time: '2026-01-02T03:04:05.678Z',
    service: 'sender',
    pid: 7,
    msg: 'attempt failed',
    endpoint_id: 'ep_1',
    attempt: 2,
  })
  expect(format('sender', line)).toBe('sender         03:04:05.678 warn  attempt failed endpoint_id=ep_1 attempt=2')
})

it('shows the stack of an error', () => {
  const line = JSON.stringify({
    level: 'error',
    time: '2026-01-02T03:04:05.678Z',
    msg: 'failed',
    err: { stack: 'Error: x\n  at y' },
  })
  expect(format('sender', line)).toContain('failed\nError: x\n  at y')
})

it.each(['Error: not JSON', '{"broken', '{"some":"json"}'])('leaves %s as it is', line => {
  expect(format('sender', line)).toBe(`sender         ${line}`)
})

it('colours what is alarming', () => {
  const line = JSON.stringify({ level: 'error', time: '2026-01-02T03:04:05.678Z', msg: 'failed' })
  expect(createLogFormat({ colored: true })('sender', line)).toContain('\u001b[31m')
})
