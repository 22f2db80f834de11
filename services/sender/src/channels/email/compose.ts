import type { Message } from '../channel.ts'

export interface ComposedMail {
  subject: string
  text: string
  html: string
}

/** Mail servers refuse header lines over 998 bytes, and nobody reads past this. */
const subjectLengthMax = 200

/** An alert may carry megabytes of context; a mail should not. */
const contextLengthMax = 20_000

export function composeMail(message: Message): ComposedMail {
  const { alert } = message
  const subject = subjectOf(message)
  const facts: [label: string, value: string][] = [
    ['Severity', alert.severity],
    ['Status', alert.status],
    ['Source', oneLine(alert.source)],
    ['Name', oneLine(alert.name)],
    ['Time', alert.event_ts],
    ['Alert', oneLine(alert.alert_id)],
    ...(alert.dedup_key === undefined ? [] : [['Problem', oneLine(alert.dedup_key)] as [string, string]]),
    [message.rules.length === 1 ? 'Rule' : 'Rules', message.rules.map(rule => oneLine(rule.name)).join(', ')],
    ['Team', message.teamId],
  ]
  const context = prettyContext(alert.context)
  return { subject, text: textOf(subject, facts, context), html: htmlOf(subject, facts, context) }
}

export function subjectOf({ alert }: Pick<Message, 'alert'>): string {
  const label = alert.status === 'resolved' ? 'RESOLVED' : alert.severity
  return cut(`[${label}] ${oneLine(alert.name)} on ${oneLine(alert.source)}`, subjectLengthMax)
}

/** A line break in a name must not start a header or a line of its own. Line and paragraph separators count as breaks. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim()
}

function prettyContext(context: Record<string, unknown>): string {
  return cut(JSON.stringify(context, null, 2), contextLengthMax)
}

function cut(text: string, lengthMax: number): string {
  // Not in the middle of a surrogate pair: half a character is no valid text.
  return text.length <= lengthMax ? text : `${text.slice(0, lengthMax).replace(/[\uD800-\uDBFF]$/, '')}…`
}

function textOf(subject: string, facts: [string, string][], context: string): string {
  const lines = facts.map(([label, value]) => `${`${label}:`.padEnd(10)}${value}`)
  return `${subject}\n\n${lines.join('\n')}\n\nContext:\n${context}\n`
}

function htmlOf(subject: string, facts: [string, string][], context: string): string {
  const rows = facts.map(
    ([label, value]) =>
      `<tr><th align="left" style="padding:2px 16px 2px 0;color:#555">${label}</th><td>${escapeHtml(value)}</td></tr>`,
  )
  return `<!doctype html>
<html><body style="font-family:sans-serif;font-size:14px;color:#222">
<h2 style="font-size:18px">${escapeHtml(subject)}</h2>
<table style="border-collapse:collapse">
${rows.join('\n')}
</table>
<pre style="background:#f4f4f4;padding:12px;white-space:pre-wrap">${escapeHtml(context)}</pre>
</body></html>
`
}

const htmlEscapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, char => htmlEscapes[char] ?? char)
}
