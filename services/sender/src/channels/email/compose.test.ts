import { expect, test } from 'vitest'
import type { Message } from '../channel.ts'
import { composeMail, subjectOf } from './compose.ts'

function message(alert: Partial<Message['alert']> = {}, ruleName = 'High errors'): Message {
  return {
    deliveryId: 'dlv_1',
    notificationId: 'ntf_1',
    teamId: 'payments',
    alert: {
      alert_id: 'a-1',
      severity: 'HIGH',
      source: 'api',
      name: 'timeout',
      context: { host: 'h1' },
      event_ts: '2026-11-21T12:00:00Z',
      status: 'firing',
      ...alert,
    },
    rules: [{ rule_id: 'rul_1', name: ruleName, version: 1 }],
    notifiedAt: new Date(),
  }
}

test('the subject says how bad, what and where; and whether it is over', () => {
  expect(subjectOf(message())).toBe('[HIGH] timeout on api')
  expect(subjectOf(message({ status: 'resolved' }))).toBe('[RESOLVED] timeout on api')
})

test.each(['\r\nBcc: x@example.org', '\nBcc: x@example.org', '\u2028Bcc: x@example.org', '\0Bcc: x@example.org'])(
  'a break in a name (%j) makes no header of its own',
  injected => {
    const subject = subjectOf(message({ name: `timeout${injected}`, source: `api${injected}` }))
    expect(subject).toBe('[HIGH] timeout Bcc: x@example.org on api Bcc: x@example.org')
  },
)

test('a break in a name makes no line of its own in the text', () => {
  const { text } = composeMail(message({ name: 'timeout\nSeverity: LOW' }, 'rule\nTeam: other'))
  expect(text).toContain('Name:     timeout Severity: LOW\n')
  expect(text).toContain('Rule:     rule Team: other\n')
})

test('whatever an alert says, it is text in the HTML', () => {
  const evil = '<script>alert("1")</script><img src=x onerror=\'a&b\'>'
  const { html } = composeMail(message({ name: evil, source: evil, context: { [evil]: evil } }, evil))
  expect(html).not.toMatch(/<script|<img/)
  expect(html).toContain('&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&lt;img src=x onerror=&#39;a&amp;b&#39;&gt;')
})

test('severity, source, name, time, context and the names of the rules are in both parts', () => {
  const { text, html } = composeMail(message({ dedup_key: 'db-1' }))
  for (const part of ['HIGH', 'api', 'timeout', '2026-11-21T12:00:00Z', 'High errors', 'payments', 'a-1', 'db-1']) {
    expect(text).toContain(part)
    expect(html).toContain(part)
  }
  expect(text).toContain('{\n  "host": "h1"\n}')
  expect(html).toContain('{\n  &quot;host&quot;: &quot;h1&quot;\n}')
})

test('a long name or a huge context is cut between characters', () => {
  const { subject, text } = composeMail(message({ name: '😀'.repeat(127), context: { log: '😀'.repeat(20_000) } }))
  expect(subject.length).toBeLessThanOrEqual(201)
  expect(text.length).toBeLessThan(21_000)
  expect(subject.isWellFormed()).toBe(true)
  expect(text.isWellFormed()).toBe(true)
})
