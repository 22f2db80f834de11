import { createHmac, createSecretKey, type KeyObject } from 'node:crypto'

/** Making a key out of bytes costs 34 µs, six times as much as signing with it; endpoints are told many times. */
const keys = new Map<string, KeyObject>()
const keysMax = 10_000

/**
 * The headers of Standard Webhooks 1.0. The timestamp is this attempt's and not the message's: receivers refuse what is
 * older than five minutes, as a late attempt would be.
 */
export function signedHeaders(secret: string, id: string, timestampSeconds: number, body: string) {
  return {
    'webhook-id': id,
    'webhook-timestamp': String(timestampSeconds),
    'webhook-signature': sign(secret, id, timestampSeconds, body),
  }
}

export function sign(secret: string, id: string, timestampSeconds: number, body: string): string {
  return `v1,${createHmac('sha256', keyOf(secret)).update(`${id}.${timestampSeconds}.${body}`).digest('base64')}`
}

function keyOf(secret: string): KeyObject {
  const known = keys.get(secret)
  if (known !== undefined) return known
  const key = createSecretKey(Buffer.from(secret.replace(/^whsec_/, ''), 'base64'))
  if (keys.size >= keysMax) keys.clear()
  keys.set(secret, key)
  return key
}
