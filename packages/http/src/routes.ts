import type { IncomingHttpHeaders } from 'node:http'
import type { Logger } from '@tocsin/runtime/logger'
import type { Express, Request, RequestHandler, Response } from 'express'
import type { Caller } from './api-keys.ts'
import { type Body, type MediaType, mediaTypeOf, mediaTypes, readBody } from './body.ts'
import { refusal } from './problems.ts'
import { contextOf } from './request-context.ts'

export interface ApiRequest {
  id: string
  log: Logger
  /** Who asks: every route lies behind a key. */
  caller: Caller
  headers: IncomingHttpHeaders
  query: Request['query']
  /** No bytes when there was no body. */
  body: Body
  traceparent: string | undefined
  /** A part of the path that the route declares. */
  param(name: string): string
}

export interface Answer {
  status?: number
  headers?: Record<string, string>
  /** Sent as JSON; no body when left out. */
  body?: unknown
}

export type Handler = (request: ApiRequest) => Promise<Answer> | Answer

export const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const
type Method = (typeof methods)[number]

/** One path and what it answers to. Whatever it does not answer to is 405, with what it would. */
export interface Route extends Partial<Record<Method, Handler>> {
  path: string
  /** Media types of the bodies that it takes; JSON unless told. With an empty list none is read, nor asked for. */
  accepts?: readonly MediaType[]
  /** Of its largest body; that of the whole API unless told. */
  limitBytes?: number
}

const acceptsByMethod: Partial<Record<Method, readonly MediaType[]>> = {
  POST: [mediaTypes.json],
  PUT: [mediaTypes.json],
  PATCH: [mediaTypes.json, mediaTypes.mergePatch],
}

export function mountRoute(app: Express, route: Route, apiLimitBytes: number): void {
  const { limitBytes = apiLimitBytes } = route
  const mounted = app.route(route.path)
  mounted.all((_req, res, next) => {
    contextOf(res).route = route.path
    next()
  })
  for (const method of methods) {
    const handler = route[method]
    if (handler === undefined) continue
    const accepts = acceptsByMethod[method] && (route.accepts ?? acceptsByMethod[method])
    const steps = [...(accepts?.length ? readBody({ accepts, limitBytes }) : []), answerWith(handler)]
    mounted[method.toLowerCase() as Lowercase<Method>](...steps)
  }
  mounted.all(methodNotAllowed(route))
}

function answerWith(handler: Handler): RequestHandler {
  return async (req, res) => {
    const { status = 200, headers = {}, body } = await handler(apiRequest(req, res))
    res.status(status).set(headers)
    if (body === undefined) res.end()
    else res.json(body)
  }
}

function apiRequest(req: Request, res: Response): ApiRequest {
  const { requestId, log, traceparent, caller } = contextOf(res)
  if (caller === undefined) throw new Error('a route was reached without a key')
  const bytes = Buffer.isBuffer(req.body) ? req.body : new Uint8Array()
  return {
    id: requestId,
    log,
    caller,
    traceparent,
    headers: req.headers,
    query: req.query,
    body: { mediaType: mediaTypeOf(req.headers['content-type']), bytes },
    param(name) {
      const value = req.params[name]
      if (typeof value !== 'string') throw new Error(`the route has no parameter ${name}`)
      return value
    },
  }
}

function methodNotAllowed(route: Route): RequestHandler {
  const allowed = methods.filter(method => route[method] !== undefined)
  const allow = allowed.flatMap(method => (method === 'GET' ? ['GET', 'HEAD'] : [method])).join(', ')
  return (req, res) => {
    res.setHeader('allow', allow)
    throw refusal('method_not_allowed', `${req.method} is not possible here; ${allow} is`)
  }
}
