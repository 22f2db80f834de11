import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { metrics } from './metrics.ts'
import type { Service } from './run-service.ts'

/** Numbers for people: whatever a service wants to show at `/status`. */
export type StatusReport = () => Record<string, unknown> | Promise<Record<string, unknown>>

export interface OpsOptions {
  host: string
  port: number
  status?: StatusReport
}

/** `/health`, `/ready`, `/metrics` and `/status` of every process. True when the request was one of them. */
export function opsHandler(service: Service, status: StatusReport = () => ({})) {
  const startedAt = new Date()
  const answers: Record<string, (res: ServerResponse) => Promise<void>> = {
    '/health': async res => sendJson(res, 200, { status: 'alive', service: service.name }),
    '/ready': async res => {
      const report = await service.readiness.check()
      sendJson(res, report.ready ? 200 : 503, report)
    },
    '/metrics': async res => {
      res.writeHead(200, { 'content-type': metrics.contentType }).end(await metrics.metrics())
    },
    '/status': async res =>
      sendJson(res, 200, {
        service: service.name,
        pid: process.pid,
        started_at: startedAt.toISOString(),
        uptime_seconds: Math.round((Date.now() - startedAt.getTime()) / 1_000),
        rss_bytes: process.memoryUsage.rss(),
        ...(await status()),
      }),
  }
  return async (req: IncomingMessage, res: ServerResponse): Promise<boolean> => {
    const answer = answers[(req.url ?? '').split('?', 1)[0] ?? '']
    if (answer === undefined || (req.method !== 'GET' && req.method !== 'HEAD')) return false
    await answer(res)
    return true
  }
}

/** The port of a worker: the ops answers and nothing else. */
export async function serveOps(service: Service, { host, port, status }: OpsOptions): Promise<Server> {
  const handle = opsHandler(service, status)
  return listen(service, host, port, (req, res) => {
    handle(req, res)
      .then(known => known || sendJson(res, 404, { error_code: 'not_found', message: 'no such path' }))
      .catch(error => {
        service.log.error({ err: error, url: req.url }, 'ops request failed')
        if (!res.headersSent) sendJson(res, 500, { error_code: 'internal', message: 'internal error' })
      })
  })
}

/** Listens, and closes when the service stops: no new connections, requests in flight are answered. */
export async function listen(
  service: Service,
  host: string,
  port: number,
  onRequest: RequestListener,
): Promise<Server> {
  const server = createServer(onRequest)
  const endUnused = trackConnections(server)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve)
  })
  service.onStop('http server', () => closeServer(server, endUnused, service.cutOff))
  service.log.info({ host, port: (server.address() as AddressInfo).port }, 'listening')
  return server
}

/** Long enough for a request that is here to be read. */
const unusedMs = 100

/**
 * Nobody may keep us from stopping: neither a connection that never says anything, as load balancers and browsers open
 * ahead, nor a client that does not end its request.
 */
async function closeServer(server: Server, endUnused: () => void, cutOff: AbortSignal): Promise<void> {
  const closed = new Promise(resolve => server.close(resolve))
  server.closeIdleConnections()
  const timer = setTimeout(endUnused, unusedMs)
  const cut = () => server.closeAllConnections()
  if (cutOff.aborted) cut()
  cutOff.addEventListener('abort', cut)
  await closed
  clearTimeout(timer)
  cutOff.removeEventListener('abort', cut)
}

/** Gives what ends all connections without a request that waits for its answer. */
function trackConnections(server: Server): () => void {
  const unanswered = new Map<Socket, number>()
  const count = (socket: Socket, change: number) => {
    const before = unanswered.get(socket)
    if (before !== undefined) unanswered.set(socket, before + change)
  }
  server.on('connection', socket => {
    unanswered.set(socket, 0)
    socket.once('close', () => unanswered.delete(socket))
  })
  server.on('request', ({ socket }, res) => {
    count(socket, 1)
    res.once('close', () => count(socket, -1))
  })
  return () => {
    for (const [socket, requests] of unanswered) if (requests === 0) socket.destroy()
  }
}

export function sendJson(res: ServerResponse, status: number, body: unknown): void {
  res.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'cache-control': 'no-store' })
  res.end(`${JSON.stringify(body)}\n`)
}
