import { newId } from '@tocsin/contracts/ids'
import type { Logger } from '@tocsin/runtime/logger'
import { histogramSeconds } from '@tocsin/runtime/metrics'
import type { RequestHandler, Response } from 'express'
import type { Caller } from './api-keys.ts'

/** What is known about a request while it is answered; kept in `res.locals`. */
export interface RequestContext {
  requestId: string
  log: Logger
  /** W3C trace context, passed on to what the request causes. */
  traceparent?: string
  /** Who asks, once the key was recognised. */
  caller?: Caller
  /** The path as it was declared: what metrics count by, because real paths are without number. */
  route?: string
}

const requestSeconds = histogramSeconds(
  'tocsin_http_request_seconds',
  'time from the headers of a request to its answer',
  ['method', 'route', 'status'],
)

/** A caller's own id is taken when it can stand in a header and a log line as it is. */
const saneRequestId = /^[\w.:@/+=-]{1,128}$/
const saneTraceparent = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/

export function contextOf(res: Response): RequestContext {
  return res.locals.context
}

export function requestContext(log: Logger): RequestHandler {
  return (req, res, next) => {
    const startedAt = performance.now()
    const given = req.get('x-request-id')
    const requestId = given !== undefined && saneRequestId.test(given) ? given : newId('request')
    const context: RequestContext = { requestId, log: log.child({ request_id: requestId }) }
    const traceId = saneTraceparent.exec(req.get('traceparent') ?? '')?.[1]
    if (traceId !== undefined) {
      context.traceparent = req.get('traceparent') as string
      context.log = context.log.child({ trace_id: traceId })
    }
    res.locals.context = context
    res.setHeader('x-request-id', requestId)
    res.setHeader('cache-control', 'no-store')
    res.once('close', () => {
      // Nobody got the answer of a request whose caller went away, whatever status it would have had.
      const status = res.writableFinished ? String(res.statusCode) : 'aborted'
      const seconds = (performance.now() - startedAt) / 1_000
      requestSeconds.observe({ method: req.method, route: context.route ?? 'none', status }, seconds)
      context.log.debug(
        { method: req.method, path: req.originalUrl, status, seconds, key_id: context.caller?.key_id },
        'request',
      )
    })
    next()
  }
}
