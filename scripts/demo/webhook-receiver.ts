import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { WebhookBody } from '@tocsin/contracts/webhook'
import { Webhook } from 'standardwebhooks'

export interface ReceivedWebhook {
  readonly body: WebhookBody
  readonly webhookId: string
  readonly atMs: number
}

export interface WebhookReceiver extends AsyncDisposable {
  readonly url: string
  readonly received: readonly ReceivedWebhook[]
  /** Requests whose signature does not fit the secret; refused, as any receiver should. */
  readonly refused: readonly string[]
  /** Known only once the endpoint is created, and that needs the URL first. */
  trust(secret: string): void
}

/** What a team would have: an HTTP server that checks the signature with the public library and then believes. */
export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const received: ReceivedWebhook[] = []
  const refused: string[] = []
  let verifier: Webhook | undefined
  const server = createServer(async (request, response) => {
    const atMs = performance.now()
    const payload = Buffer.concat(await Array.fromAsync(request)).toString()
    const headers = request.headers as Record<string, string>
    try {
      if (!verifier) throw new Error('no secret yet')
      const body = verifier.verify(payload, headers) as WebhookBody
      received.push({ body, webhookId: headers['webhook-id'] ?? '', atMs })
      response.writeHead(204).end()
    } catch (error) {
      refused.push(error instanceof Error ? error.message : String(error))
      response.writeHead(401).end()
    }
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/alerts`,
    received,
    refused,
    trust(secret) {
      verifier = new Webhook(secret)
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise(resolve => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
