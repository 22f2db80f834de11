import { opsHandler, type StatusReport } from '@tocsin/runtime/ops-server'
import type { Service } from '@tocsin/runtime/run-service'
import express, { type Express, type RequestHandler } from 'express'
import { answerErrors } from './answer-errors.ts'
import { type Authenticate, requireKey } from './api-keys.ts'
import { refusal } from './problems.ts'
import { requestContext } from './request-context.ts'
import { mountRoute, type Route } from './routes.ts'

export interface AppOptions {
  authenticate: Authenticate
  routes: readonly Route[]
  /** What `/status` shows beside the process's own numbers. */
  status?: StatusReport
  bodyLimitBytes?: number
}

const defaultBodyLimitBytes = 1_048_576

/** The ops answers, then everything under `/api` behind a key, then one shape for whatever went wrong. */
export function createApp(
  service: Service,
  { authenticate, routes, status, bodyLimitBytes = defaultBodyLimitBytes }: AppOptions,
): Express {
  const app = express()
  app.disable('x-powered-by').disable('etag') // our ETags are versions, and only edits use them
  app.set('query parser', 'simple')
  app.use(closeWhenStopping(service.stopping))
  app.use(requestContext(service.log))
  app.use(opsAnswers(service, status))
  app.use(refuseBadPaths)
  app.use('/api', requireKey(authenticate))
  for (const route of routes) mountRoute(app, route, bodyLimitBytes)
  app.use(req => {
    throw refusal('not_found', `there is nothing at ${req.path}`)
  })
  app.use(answerErrors)
  return app
}

/**
 * A connection that is kept alive would go on bringing requests to a server that no longer listens, and its idle
 * time-out is longer than a stop may take. A request that came before the stop is answered, then its connection ends.
 */
function closeWhenStopping(stopping: AbortSignal): RequestHandler {
  return (req, res, next) => {
    if (stopping.aborted) res.setHeader('connection', 'close')
    res.once('finish', () => {
      if (stopping.aborted) req.socket.end()
    })
    next()
  }
}

function opsAnswers(service: Service, status: StatusReport | undefined): RequestHandler {
  const answer = opsHandler(service, status)
  return async (req, res, next) => {
    if (!(await answer(req, res))) next()
  }
}

/** U+0000 is in no name of ours, and Postgres fails on it wherever a part of the path or the query ends up. */
const refuseBadPaths: RequestHandler = (req, _res, next) => {
  if (req.originalUrl.includes('%00')) throw refusal('malformed', 'the URL contains U+0000')
  next()
}
