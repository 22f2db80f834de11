import { type RequestListener, type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { listen } from '@tocsin/runtime/ops-server'
import type { Service } from '@tocsin/runtime/run-service'
import { errorBody } from './answer-errors.ts'

export interface ServeOptions {
  HOST: string
  PORT: number
}

/**
 * Longer than the 60 s after which most load balancers drop an idle connection: whoever closes first must not be
 * us, or a request that is already on its way meets a closed socket.
 */
const keepAliveMs = 65_000

export async function serveApi(service: Service, { HOST, PORT }: ServeOptions, app: RequestListener): Promise<Server> {
  const server = await listen(service, HOST, PORT, app)
  server.keepAliveTimeout = keepAliveMs
  server.on('clientError', answerUnreadable)
  return server
}

/** What is no HTTP never reaches the app; it is answered in the same shape all the same. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
  const message = `the request cannot be read: ${STATUS_CODES[status]}`
  const body = `${JSON.stringify(errorBody({ code: 'malformed', message, details: {} }))}\n`
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}
