import type { Config } from '../config.ts'
import type { Channel } from './channel.ts'
import { createEmailChannel } from './email/email.ts'
import { createWebhookChannel } from './webhook/webhook.ts'

/** Every way of telling people, by the kind of endpoint that it serves. */
export function createChannels(config: Config): Readonly<Record<string, Channel>> {
  return {
    webhook: createWebhookChannel({ allowLoopback: config.ALLOW_LOOPBACK_WEBHOOKS }),
    email: createEmailChannel({
      smtpUrl: config.SMTP_URL,
      from: config.MAIL_FROM,
      connections: config.SMTP_CONNECTIONS,
    }),
  }
}
