import { readFileSync } from 'node:fs'
import type { WebhookBody } from '@tocsin/contracts/webhook'
import { type WebhookUrlRules, webhookUrlProblem } from '@tocsin/contracts/webhook-url'
import { z } from 'zod'
import { type Channel, type Message, type Outcome, replyText } from '../channel.ts'
import { post } from './post.ts'
import { signedHeaders } from './sign.ts'
import { outcomeOfFailure, verdictOfStatus } from './verdict.ts'

const targetSchema = z.object({ url: z.string() })
const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')
const userAgent = `Tocsin/${JSON.parse(manifest).version}`

/** Posts the message under the Standard Webhooks headers. */
export function createWebhookChannel(rules: WebhookUrlRules): Channel {
  return {
    async send(message, recipient, timeout) {
      const target = targetSchema.safeParse(recipient.target)
      if (!target.success || recipient.secret === null) return { verdict: 'permanent', errorCode: 'bad_target' }
      const refused = webhookUrlProblem(target.data.url, rules)
      if (refused !== undefined) return { verdict: 'permanent', errorCode: 'target_refused', reply: refused }
      return attempt(target.data.url, recipient.secret, message, timeout)
    },
    close() {},
  }
}

async function attempt(url: string, secret: string, message: Message, timeout: AbortSignal): Promise<Outcome> {
  const body = JSON.stringify(webhookBody(message))
  const headers = {
    'content-type': 'application/json',
    'user-agent': userAgent,
    ...signedHeaders(secret, message.deliveryId, Math.floor(Date.now() / 1_000), body),
  }
  try {
    const answer = await post(url, headers, body, timeout)
    const reply = replyText(answer.body)
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
