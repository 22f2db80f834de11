import { createHmac } from 'node:crypto'

/**
 * The headers of Standard Webhooks 1.0. The timestamp is this attempt's and not the message's: receivers refuse what is
 * older than five minutes, which the fourth attempt would be.
 */
export function signedHeaders(secret: string, id: string, timestampSeconds: number, body: string) {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': sign(secret, id, timestampSeconds, body),
  }
}

export function sign(secret: string, id: string, timestampSeconds: number, body: string): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  return `v1,${createHmac('sha256', key).update(`${id}.${timestampSeconds}.${body}`).digest('base64')}`
}
