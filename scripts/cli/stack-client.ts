import { messageOf } from '@tocsin/runtime/errors'
import type { Home } from '../home.ts'
import { isRunning } from '../processes/process-identity.ts'
import { CliError } from '../report.ts'
import { readAdminKey } from '../supervisor/prepare-stack.ts'
import { readState, type StackUrls } from '../supervisor/stack-state.ts'
import { inspectStack } from '../supervisor/stack-status.ts'

/** The running stack as any other client sees it: over HTTP, with a key. */
export interface StackClient {
  readonly urls: StackUrls
  readonly adminKey: string
  /** Throws when the answer is not a success: hardly anything that the callers do is expected to fail. */
  call<Body>(method: string, url: string, body?: unknown): Promise<Body>
}

/** No answer, or 503: the same call may do later. */
export class Unavailable extends CliError {
  /** What of a 503 the answer blames: `bad_snapshot`, `redis_unavailable`. */
  readonly reason: string | undefined

  constructor(message: string, reason?: string) {
    super(message)
    this.reason = reason
  }
}

const howToStart = 'Start it with\n    ./tocsin up --detach'

/** All of it, and all of it ready. */
export async function connectStack(home: Home): Promise<StackClient> {
  const { status } = await inspectStack(home)
  const { urls, admin_key: adminKey } = status
  if (!status.ready || adminKey === null) {
    throw new CliError(`Tocsin does not run, or is not ready (see ./tocsin status). ${howToStart}`)
  }
  return createClient(urls as StackUrls, adminKey)
}

/** Ready or not, for who looks into what is wrong with it: a call that cannot be answered says why. */
export function connectRunningStack(home: Home): StackClient {
  const state = readState(home)
  const adminKey = readAdminKey(home)
  if (!state?.urls || !isRunning(state.supervisor) || adminKey === undefined) {
    throw new CliError(`Tocsin does not run. ${howToStart}`)
  }
  return createClient(state.urls, adminKey)
}

function createClient(urls: StackUrls, adminKey: string): StackClient {
  return {
    urls,
    adminKey,
    async call<Body>(method: string, url: string, body?: unknown): Promise<Body> {
      const { response, text } = await ask(url, {
        method,
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      if (response.ok) return (text === '' ? undefined : JSON.parse(text)) as Body
      const problem = `${method} ${url} answered ${response.status}: ${text}`
      if (response.status !== 503) throw new CliError(problem)
      throw new Unavailable(problem, (JSON.parse(text) as { details: { reason?: string } }).details.reason)
    },
  }
}

async function ask(url: string, request: RequestInit): Promise<{ response: Response; text: string }> {
  try {
    const response = await fetch(url, request)
    return { response, text: await response.text() }
  } catch (error) {
    const { cause = error } = error as Error // fetch itself says no more than that it failed
    throw new Unavailable(`${request.method} ${url} has no answer (see ./tocsin status): ${messageOf(cause)}`)
  }
}
