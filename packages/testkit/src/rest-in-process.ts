import { newApiKey, saveApiKey } from '@tocsin/postgres/api-keys'
import type { Database } from '@tocsin/postgres/database'
import { parseSettings, type Settings, type SettingsShape } from '@tocsin/runtime/config'
import { createLogger } from '@tocsin/runtime/logger'
import { type RunningService, type Service, startService } from '@tocsin/runtime/run-service'

export interface RestInProcess extends AsyncDisposable {
  url: string
  running: RunningService
  stop(): Promise<void>
}

/** A service that is called over HTTP, inside the test's own process. Gives it as soon as it listens, ready or not. */
export async function startRestInProcess<Shape extends SettingsShape>(
  name: string,
  start: (service: Service, config: Settings<Shape>) => Promise<void>,
  shape: Shape,
  environment: Record<string, string>,
): Promise<RestInProcess> {
  const parsed = parseSettings(shape, environment)
  if ('problems' in parsed) throw new Error(`settings of ${name}: ${JSON.stringify(parsed.problems)}`)
  const { settings } = parsed
  const log = createLogger(name, process.env.TOCSIN_TEST_LOG_LEVEL ?? 'silent')
  // Its port is told in a log line, to people and to us.
  const { promise: port, resolve: heard } = Promise.withResolvers<number>()
  log.info = (facts: unknown, message?: string) => {
    if (message === 'listening') heard((facts as { port: number }).port)
  }
  const running = startService(name, log, service => start(service, settings))
  const failed = running.ended.then(cause => Promise.reject(cause ?? new Error(`${name} stopped`)))
  failed.catch(() => {}) // once it listens nobody waits for this any more
  const url = `http://127.0.0.1:${await Promise.race([port, failed])}`
  const stop = async () => {
    const failure = await running.stop()
    if (failure !== undefined) throw failure
  }
  return { url, running, stop, [Symbol.asyncDispose]: stop }
}

export interface Answered {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of every shape
  body: any
}

export type Call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answered>

/** Requests with a key that the service knows. A string goes out as it is, anything else as JSON. */
export async function callerOf(url: string, database: Database): Promise<Call> {
  const key = newApiKey()
  await saveApiKey(database, key, { key_id: 'key_test', name: 'test' })
  return async (method, path, body, headers = {}) => {
    const response = await fetch(url + path, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
  }
}
