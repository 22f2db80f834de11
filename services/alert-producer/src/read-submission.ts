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
  const submission = body.mediaType === mediaTypes.ndjson ? { items: lines(textOf(body)), single: false } : json(body)
  if (submission.items.length <= maxAlerts) return submission
  throw refusal('too_large', `${submission.items.length} alerts in one request; ${maxAlerts} are allowed`, {
    limit_alerts: maxAlerts,
  })
}

function json(body: Body): Submission {
  const value = jsonOf(body)
  if (Array.isArray(value)) return { items: value.map(item => ({ value: item })), single: false }
  return { items: [{ value }], single: true }
}

/** A line that is no JSON is that line's problem: the others are read all the same. Empty lines are nothing. */
function lines(text: string): Item[] {
  const items: Item[] = []
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() !== '') items.push(lineItem(line, index + 1))
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
