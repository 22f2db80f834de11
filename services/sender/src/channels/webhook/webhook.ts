import { readFileSync } from 'node:fs'
import type { WebhookBody } from '@tocsin/contracts/webhook'
import { z } from 'zod'
import { type Channel, type Message, type Outcome, replyBytesMax, replyText } from '../channel.ts'
import { signedHeaders } from './sign.ts'
import { refusal } from './target.ts'
import { outcomeOfFailure, verdictOfStatus } from './verdict.ts'

const targetSchema = z.object({ url: z.string() })
const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')
const userAgent = `Tocsin/${JSON.parse(manifest).version}`

/** An answer up to this size is read to its end, so that the connection can be used again; a longer one is cut off. */
const drainedBytesMax = 65_536

export interface WebhookOptions {
  allowLoopback: boolean
}

/** Posts the message under the Standard Webhooks headers. */
export function createWebhookChannel({ allowLoopback }: WebhookOptions): Channel {
  return {
    async send(message, recipient, timeout) {
      const target = targetSchema.safeParse(recipient.target)
      if (!target.success || recipient.secret === null) return { verdict: 'permanent', errorCode: 'bad_target' }
      const refused = refusal(target.data.url, allowLoopback)
      if (refused !== undefined) return { verdict: 'permanent', errorCode: 'target_refused', reply: refused }
      return post(target.data.url, recipient.secret, message, timeout)
    },
    close() {},
  }
}

async function post(url: string, secret: string, message: Message, timeout: AbortSignal): Promise<Outcome> {
  const body = JSON.stringify(webhookBody(message))
  const headers = {
    'content-type': 'application/json',
    'user-agent': userAgent,
    ...signedHeaders(secret, message.deliveryId, Math.floor(Date.now() / 1_000), body),
  }
  try {
    const answer = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal: timeout })
    const reply = replyText(await readAnswer(answer))
    return { ...verdictOfStatus(answer.status), replyCode: answer.status, ...(reply !== '' && { reply }) }
  } catch (error) {
    return outcomeOfFailure(error, timeout)
  }
}

export function webhookBody(message: Message): WebhookBody {
  return {
    type: message.alert.status === 'resolved' ? 'alert.resolved' : 'alert.firing',
    timestamp: message.notifiedAt.toISOString(),
    data: {
      notification_id: message.notificationId,
      team_id: message.teamId,
      alert: message.alert,
      rules: message.rules.map(({ rule_id, name, version }) => ({ rule_id, name, version })),
    },
  }
}

/** The first bytes of the answer. Its status has decided already, so an answer that breaks off or drips changes nothing. */
async function readAnswer(answer: Response): Promise<Uint8Array> {
  const kept: Uint8Array[] = []
  if (answer.body === null) return new Uint8Array()
  let size = 0
  try {
    for await (const chunk of answer.body) {
      if (size < replyBytesMax) kept.push(chunk)
      size += chunk.length
      if (size >= drainedBytesMax) break // leaving the loop cancels the rest
    }
  } catch {}
  return Buffer.concat(kept)
}
