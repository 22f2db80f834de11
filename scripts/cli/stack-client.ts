import type { Home } from '../home.ts'
import { CliError } from '../report.ts'
import type { StackUrls } from '../supervisor/stack-state.ts'
import { inspectStack } from '../supervisor/stack-status.ts'

/** The running stack as any other client sees it: over HTTP, with a key. */
export interface StackClient {
  readonly urls: StackUrls
  readonly adminKey: string
  /** Throws when the answer is not a success: nothing that the callers do is expected to fail. */
  call<Body>(method: string, url: string, body?: unknown): Promise<Body>
}

export async function connectStack(home: Home): Promise<StackClient> {
  const { status } = await inspectStack(home)
  if (!status.ready || status.admin_key === null) {
    throw new CliError(
      'Tocsin does not run, or is not ready (see ./tocsin status). Start it with\n    ./tocsin up --detach',
    )
  }
  const { urls, admin_key: adminKey } = status as { urls: StackUrls; admin_key: string }
  return {
    urls,
    adminKey,
    async call<Body>(method: string, url: string, body?: unknown): Promise<Body> {
      const response = await fetch(url, {
        method,
        headers: { authorization: `Bearer ${adminKey}`, 'content-type': 'application/json' },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      if (!response.ok) throw new CliError(`${method} ${url} answered ${response.status}: ${text}`)
      return (text === '' ? undefined : JSON.parse(text)) as Body
    },
  }
}
