import type { ErrorCode, Problem } from '@tocsin/contracts/errors'
import { type Body, jsonOf, mediaTypes, textOf } from '@tocsin/http/body'
import { refusal } from '@tocsin/http/problems'
import { messageOf } from '@tocsin/runtime/errors'

/** One alert of a request, before anybody has looked at it: what stands there, or why nothing can be read there. */
export type Item = { value: unknown } | { error_code: ErrorCode; problem: Omit<Problem, 'pointer'> }

export interface Submission {
  items: Item[]
  /** One alert by itself; its problems have pointers into it, while those of many start with its position. */
  single: boolean
}

/** More than this in one request would keep the process from everybody else for over 100 ms. */
export const maxAlerts = 10_000

export function readSubmission(body: Body): Submission {
  return body.mediaType === mediaTypes.ndjson ? { items: lines(textOf(body)), single: false } : json(body)
}

function checkCount(count: number): void {
  if (count <= maxAlerts) return
  throw refusal('too_large', `more than ${maxAlerts} alerts in one request`, { limit_alerts: maxAlerts })
}

function json(body: Body): Submission {
  const value = jsonOf(body)
  if (!Array.isArray(value)) return { items: [{ value }], single: true }
  checkCount(value.length)
  return { items: value.map(item => ({ value: item })), single: false }
}

/** A line that is no JSON is that line's problem: the others are read all the same. Empty lines are nothing. */
function lines(text: string): Item[] {
  const items: Item[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue
    // As it goes, and not at the end: 2.6 million lines that are no JSON took 16 s to be told so one by one.
    checkCount(items.length + 1)
    items.push(lineItem(line, index + 1))
  }
  return items
}

function lineItem(line: string, lineNumber: number): Item {
  try {
    return { value: JSON.parse(line) }
  } catch (error) {
    const message = `line ${lineNumber} is not JSON: ${messageOf(error)}`
    return { error_code: 'malformed', problem: { code: 'malformed', message } }
  }
}
