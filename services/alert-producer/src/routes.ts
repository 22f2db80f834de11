import type { IngestResult } from '@tocsin/contracts/http'
import { mediaTypes } from '@tocsin/http/body'
import { invalid, refusal } from '@tocsin/http/problems'
import type { Answer, Route } from '@tocsin/http/routes'
import type { Ingest } from './ingest.ts'
import { readSubmission } from './read-submission.ts'

export function alertRoutes(ingest: Ingest): Route[] {
  return [
    {
      path: '/api/v1/alerts',
      accepts: [mediaTypes.json, mediaTypes.ndjson],
      POST: async ({ body, traceparent }) => {
        const submission = readSubmission(body)
        return answer(await ingest(submission, traceparent), submission.single)
      },
    },
  ]
}

/**
 * 202 when something was accepted and nothing has to be repeated; what was rejected is told among the results. 503 when
 * anything has to be repeated. 422 when nothing was right.
 */
export function answer(results: IngestResult[], single: boolean): Answer {
  if (results.some(result => result.status === 'unavailable')) {
    throw refusal('unavailable', 'Kafka did not acknowledge in time; send again what is not accepted', { results })
  }
  const rejected = results.filter(result => result.status === 'rejected')
  if (rejected.length < results.length || results.length === 0) return { status: 202, body: { results } }
  if (single && rejected[0]?.error_code === 'too_large') {
    throw refusal('too_large', `the alert ${rejected[0].problems[0]?.message}`, { problems: rejected[0].problems })
  }
  throw invalid(
    rejected.flatMap(result => result.problems),
    single ? {} : { results },
  )
}
