import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { errorBodySchema } from '@tocsin/contracts/errors'
import { AppError } from '@tocsin/runtime/errors'
import { createLogger } from '@tocsin/runtime/logger'
import { startService } from '@tocsin/runtime/run-service'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createApp } from './app.ts'
import { jsonOf, mediaTypes, storableJsonOf } from './body.ts'
import { checked, invalid } from './problems.ts'
import type { Route } from './routes.ts'
import { serveApi } from './serve.ts'

let databaseAway = false
let release: () => void = () => {}

const routes: Route[] = [
  {
    path: '/api/v1/things/:thing',
    GET: request => ({ body: { thing: request.param('thing'), query: request.query, id: request.id } }),
    PUT: request => ({ body: checked(z.strictObject({ n: z.number() }), storableJsonOf(request.body)) }),
    DELETE: () => ({ status: 204 }),
  },
  {
    path: '/api/v1/echo',
    accepts: [mediaTypes.json, mediaTypes.ndjson],
    POST: request => ({ status: 201, body: jsonOf(request.body) }),
  },
  { path: '/api/v1/actions', accepts: [], POST: request => ({ status: 202, body: { by: request.caller } }) },
  { path: '/api/v1/small', limitBytes: 10, POST: request => ({ body: jsonOf(request.body) }) },
  {
    path: '/api/v1/broken/:how',
    GET: request => {
      const errors: Record<string, unknown> = {
        bug: new TypeError('the secret is swordfish'),
        away: new AppError('postgres_unavailable', 'pg at 10.0.0.7 is away', { retryable: true }),
        unknown: new AppError('disk_full', 'the disk of host-7 is full'),
        problems: invalid([{ pointer: '/a~1b', code: 'bad', message: 'is bad' }]),
        text: 'not even an error',
      }
      throw errors[request.param('how')]
    },
  },
  {
    path: '/api/v1/slow',
    GET: async () => {
      await new Promise<void>(resolve => {
        release = resolve
      })
      return { body: { done: true } }
    },
  },
]

async function authenticate(key: string) {
  if (databaseAway) throw new AppError('postgres_unavailable', 'away', { retryable: true })
  return key === 'good' ? { key_id: 'key_1', name: 'test' } : undefined
}

let base: string
const start = () =>
  startService('http-test', createLogger('http-test', 'silent'), async service => {
    const app = createApp(service, { authenticate, routes, bodyLimitBytes: 1_000, status: () => ({ things: 3 }) })
    const server = await serveApi(service, { HOST: '127.0.0.1', PORT: 0 }, app)
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
let running: ReturnType<typeof start>

beforeAll(async () => {
  running = start()
  await running.started
})
afterAll(() => running.stop())

const call = (path: string, init: RequestInit & { headers?: Record<string, string> } = {}) =>
  fetch(base + path, { ...init, headers: { authorization: 'Bearer good', ...init.headers } })
const json = { 'content-type': 'application/json' }

async function expectError(response: Response, status: number, code: string) {
  const body = errorBodySchema.parse(await response.json())
  expect({ status: response.status, code: body.error_code }).toEqual({ status, code })
  expect(body.request_id).toBe(response.headers.get('x-request-id'))
  expect(response.headers.get('cache-control')).toBe('no-store')
  expect(response.headers.get('x-powered-by')).toBeNull()
  expect(Math.abs(Date.now() - Date.parse(body.timestamp))).toBeLessThan(10_000)
  return body
}

describe('keys', () => {
  it.each([
    ['none', {}],
    ['another scheme', { authorization: 'Basic Z29vZDo=' }],
    ['an empty one', { authorization: 'Bearer ' }],
    ['an unknown one', { authorization: 'Bearer bad' }],
    ['one with something behind it', { authorization: 'Bearer good bad' }],
  ])('401 with the scheme to use for a request with %s, also where there is nothing', async (_, headers) => {
    for (const path of ['/api/v1/things/1', '/api/v1/nothing', '/api']) {
      const response = await fetch(base + path, { headers })
      await expectError(response, 401, 'unauthenticated')
      expect(response.headers.get('www-authenticate')).toBe('Bearer')
    }
  })

  it('503 and never 401 while the keys cannot be looked up', async () => {
    databaseAway = true
    const response = await call('/api/v1/things/1').finally(() => {
      databaseAway = false
    })
    await expectError(response, 503, 'unavailable')
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  it('needs none for what operators ask', async () => {
    for (const path of ['/health', '/ready', '/metrics', '/status']) {
      expect((await fetch(base + path)).status).toBe(200)
    }
    expect(await (await fetch(`${base}/status`)).json()).toMatchObject({ service: 'http-test', things: 3 })
  })
})

describe('request ids', () => {
  it('keeps a sane one of the caller and gives it back', async () => {
    const response = await call('/api/v1/things/1', { headers: { 'x-request-id': 'abc-1.2:3' } })
    expect(response.headers.get('x-request-id')).toBe('abc-1.2:3')
    expect(await response.json()).toMatchObject({ id: 'abc-1.2:3' })
  })

  it.each(['', 'a b', 'x'.repeat(129), '<script>'])('replaces "%s"', async given => {
    const response = await call('/api/v1/things/1', { headers: { 'x-request-id': given } })
    expect(response.headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{32}$/)
  })
})

describe('paths and methods', () => {
  it('404 for an unknown path, under /api and elsewhere', async () => {
    await expectError(await call('/api/v1/nothing'), 404, 'not_found')
    await expectError(await fetch(`${base}/`), 404, 'not_found')
  })

  it('405 with the methods that there are', async () => {
    const response = await call('/api/v1/things/1', { method: 'POST', headers: json, body: '{}' })
    await expectError(response, 405, 'method_not_allowed')
    expect(response.headers.get('allow')).toBe('GET, HEAD, PUT, DELETE')
    await expectError(await call('/api/v1/echo', { method: 'OPTIONS' }), 405, 'method_not_allowed')
  })

  it('answers HEAD as GET without the body, and 204 without any', async () => {
    expect((await call('/api/v1/things/1', { method: 'HEAD' })).status).toBe(200)
    expect((await call('/api/v1/things/1', { method: 'DELETE' })).status).toBe(204)
  })

  it.each(['/api/v1/things/%', '/api/v1/things/%ff', '/api/v1/things/a%00b', '/api/v1/things/1?q=%00'])(
    '400 for %s, which no path or query of ours can be',
    async path => {
      await expectError(await call(path), 400, 'malformed')
    },
  )

  it('decodes what is in the path', async () => {
    expect(await (await call('/api/v1/things/a%2Fb?x=1&x=2')).json()).toMatchObject({
      thing: 'a/b',
      query: { x: ['1', '2'] },
    })
  })
})

describe('bodies', () => {
  const put = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = json) =>
    call('/api/v1/things/1', { method: 'PUT', headers, body })

  it.each([
    ['cut off', '{"n":'],
    ['empty', ''],
    ['two documents', '{"n":1}{"n":2}'],
    ['not UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ])('400 for JSON that is %s', async (_, body) => {
    await expectError(await put(body), 400, 'malformed')
  })

  it.each([
    ['of a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['of plain text', { 'content-type': 'text/plain' }],
    ['that only another route takes', { 'content-type': 'application/x-ndjson' }],
    ['in an unknown packing', { ...json, 'content-encoding': 'rot13' }],
  ])('415 for a body %s', async (_, headers) => {
    await expectError(await put('{"n":1}', headers), 415, 'unsupported_media_type')
  })

  it('415 for a body whose type is not told', async () => {
    const response = await put(new Uint8Array([0x7b, 0x7d]), {})
    expect((await expectError(response, 415, 'unsupported_media_type')).details).toEqual({
      accepts: ['application/json'],
    })
  })

  it('asks for no body and no type where there is nothing to say, and the route knows who calls', async () => {
    for (const headers of [{}, json, { 'content-type': 'text/plain' }]) {
      const response = await call('/api/v1/actions', { method: 'POST', headers, body: 'x'.repeat(2_000) })
      expect(response.status).toBe(202)
      expect(await response.json()).toEqual({ by: { key_id: 'key_1', name: 'test' } })
    }
    expect((await call('/api/v1/actions', { method: 'POST' })).status).toBe(202)
  })

  it('takes JSON with a charset, and packed', async () => {
    expect((await put('{"n":1}', { 'content-type': 'application/JSON; charset=utf-8' })).status).toBe(200)
    expect((await put(new Uint8Array(gzipSync('{"n":1}')), { ...json, 'content-encoding': 'gzip' })).status).toBe(200)
  })

  it('400 for packed bytes that cannot be unpacked', async () => {
    await expectError(await put('{"n":1}', { ...json, 'content-encoding': 'gzip' }), 400, 'malformed')
  })

  it('413 for a body over the limit: announced, streamed or unpacked', async () => {
    const big = JSON.stringify('x'.repeat(1_001))
    await expectError(await put(big), 413, 'too_large')
    await expectError(
      await put(new Uint8Array(gzipSync(big)), { ...json, 'content-encoding': 'gzip' }),
      413,
      'too_large',
    )
    const body = new Blob([big]).stream()
    const streamed = await call('/api/v1/things/1', { method: 'PUT', headers: json, body, duplex: 'half' } as never)
    await expectError(streamed, 413, 'too_large')
    const small = await call('/api/v1/small', { method: 'POST', headers: json, body: '"0123456789"' })
    await expectError(small, 413, 'too_large')
  })

  it('422 with a JSON pointer for every problem', async () => {
    const { details } = await expectError(await put('{"n":"1","m":2}'), 422, 'invalid')
    expect(details).toEqual({
      problems: [
        { pointer: '/n', code: 'invalid_type', message: expect.any(String) },
        { pointer: '/m', code: 'unknown_field', message: expect.any(String) },
      ],
    })
  })

  it('422 for text that could not be stored, and for JSON that is no object', async () => {
    await expectError(await put('{"n":"\\u0000"}'), 422, 'invalid')
    await expectError(await put('"text"'), 422, 'invalid')
  })
})

describe('failures', () => {
  it.each(['bug', 'unknown', 'text'])('500 for an unexpected error (%s), without its message', async how => {
    const body = await expectError(await call(`/api/v1/broken/${how}`), 500, 'internal')
    expect(JSON.stringify(body)).not.toMatch(/swordfish|host-7|not even/)
  })

  it('503 with Retry-After for what a retry may help, naming no hosts', async () => {
    const response = await call('/api/v1/broken/away')
    expect(response.headers.get('retry-after')).toBe('2')
    const body = await expectError(response, 503, 'unavailable')
    expect(body.details).toEqual({ reason: 'postgres_unavailable' })
    expect(JSON.stringify(body)).not.toContain('10.0.0.7')
  })

  it('answers what is no HTTP in the same shape', async () => {
    const socket = connect(Number(new URL(base).port), '127.0.0.1')
    socket.write('GET / HTTP/1.1\r\nbad header\r\n\r\n')
    const chunks: Buffer[] = []
    for await (const chunk of socket) chunks.push(chunk)
    const [head = '', body = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n')
    expect(head).toMatch(/^HTTP\/1.1 400 /)
    expect(errorBodySchema.parse(JSON.parse(body)).error_code).toBe('malformed')
  })

  it('counts requests by the declared path, so that ids do not become labels', async () => {
    await call('/api/v1/things/some-id')
    const text = await (await fetch(`${base}/metrics`)).text()
    expect(text).toMatch(
      /tocsin_http_request_seconds_count\{method="GET",route="\/api\/v1\/things\/:thing",status="200"\} \d+/,
    )
    expect(text).not.toContain('some-id')
  })
})

it('a connection that says nothing does not hold up a stop', async () => {
  const own = start()
  const others = base
  await own.started
  const silent = connect(Number(new URL(base).port), '127.0.0.1')
  await once(silent, 'connect')
  await own.stop()
  base = others
})

it('a stop answers the request in flight, closes its connection and takes no more', async () => {
  const own = start()
  const others = base
  await own.started
  const request = httpRequest(`${base}/api/v1/slow`, { headers: { authorization: 'Bearer good' } }).end()
  const answered = once(request, 'response')
  await new Promise(resolve => setTimeout(resolve, 50))
  const stopped = own.stop()
  await expect(fetch(`${base}/health`)).rejects.toThrow()
  release()
  const [response] = await answered
  response.resume()
  expect(response.statusCode).toBe(200)
  await stopped
  base = others
})
