import { type Alert, type AlertSubmission, alertSubmissionSchema } from '@tocsin/contracts/alert'
import { type ErrorCode, type Problem, problemsOf } from '@tocsin/contracts/errors'
import { newId } from '@tocsin/contracts/ids'
import { schemaVersion } from '@tocsin/contracts/messages'
import { problemsOfStoring } from '@tocsin/http/storable'
import type { Item } from './read-submission.ts'

/** An alert that can go on its way, with the very text that will be its record. */
export interface AcceptedAlert {
  alert: Alert
  record: string
}

export interface RejectedAlert {
  alert_id?: string
  error_code: ErrorCode
  problems: Problem[]
}

/**
 * A record of 1 MiB is the most that brokers take, and downstream the alert travels together with the rules that
 * matched it. What is over this would be refused where its sender no longer listens.
 */
export const maxAlertBytes = 512 * 1024

/** An alert has eight members. Of 10,000 alerts in one request, each with 100 problems, nobody would read the answer. */
const maxProblems = 10

/** `pointer` is where the alert stands in the request. */
export function acceptAlert(item: Item, pointer: string): AcceptedAlert | RejectedAlert {
  if ('error_code' in item) return { error_code: item.error_code, problems: [{ pointer, ...item.problem }] }
  const parsed = alertSubmissionSchema.safeParse(item.value)
  const problems = parsed.success ? problemsOfKeeping(parsed.data) : problemsOf(parsed.error, maxProblems)
  if (!parsed.success || problems.length > 0) {
    return rejected(
      'invalid',
      item.value,
      problems.map(problem => ({ ...problem, pointer: pointer + problem.pointer })),
    )
  }
  const { alert_id = newId('alert'), event_ts = new Date().toISOString(), ...rest } = parsed.data
  const alert: Alert = { alert_id, ...rest, event_ts }
  const record = JSON.stringify({ schema_version: schemaVersion, ...alert })
  if (Buffer.byteLength(record) <= maxAlertBytes) return { alert, record }
  const message = `is larger than ${maxAlertBytes} bytes as JSON`
  return rejected('too_large', item.value, [{ pointer, code: 'too_large', message }])
}

/** The context is kept as JSON that may contain any text; the other texts are looked for and shown. */
function problemsOfKeeping({ context: _, ...texts }: AlertSubmission): Problem[] {
  return problemsOfStoring(texts)
}

/** Told with its id, if it has one that can be told, so that the sender knows which one it was. */
function rejected(error_code: ErrorCode, value: unknown, problems: Problem[]): RejectedAlert {
  const given = (value as { alert_id?: unknown } | null)?.alert_id
  const hasId = typeof given === 'string' && given.length <= 255
  return { ...(hasId && { alert_id: given }), error_code, problems }
}
