import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** Long enough for a slow machine to work off what was sent; what is not there then is lost, and said so. */
const drainWithinMs = 120_000

export interface Sink extends AsyncDisposable {
  readonly url: string
  /** From the time of the event to the arrival of its first webhook, by alert. */
  readonly latenciesMs: Map<string, number>
  reset(): void
  untilReceived(count: number): Promise<void>
  /** At least once is promised on the wire, so a few are no fault; they are counted to be seen. */
  repeated(): number
}

export interface SinkOptions {
  onReceived?: (alertId: string) => void
}

/** A recipient on this machine, in whose clock events and arrivals have their times. */
export async function startSink({ onReceived }: SinkOptions = {}): Promise<Sink> {
  const latenciesMs = new Map<string, number>()
  let repeated = 0
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request)
    const receivedAt = Date.now()
    response.writeHead(204).end()
    const { alert } = (JSON.parse(body) as { data: { alert: { alert_id: string; event_ts: string } } }).data
    if (latenciesMs.has(alert.alert_id)) repeated++
    else latenciesMs.set(alert.alert_id, receivedAt - Date.parse(alert.event_ts))
    onReceived?.(alert.alert_id)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    latenciesMs,
    reset: () => latenciesMs.clear(),
    repeated: () => repeated,
    async untilReceived(count) {
      const deadline = Date.now() + drainWithinMs
      while (latenciesMs.size < count) {
        if (Date.now() > deadline) throw new Error(`${count - latenciesMs.size} of ${count} webhooks did not arrive`)
        await sleep(5)
      }
    },
    async [Symbol.asyncDispose]() {
      const closed = new Promise(resolve => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}

function bodyOf(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    request.on('data', chunk => chunks.push(chunk))
    request.on('end', () => resolve(Buffer.concat(chunks).toString()))
    request.on('error', reject)
  })
}
