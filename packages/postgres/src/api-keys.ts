import { createHash, randomBytes } from 'node:crypto'
import type { Queryable } from './database.ts'

export interface ApiKey {
  key_id: string
  name: string
}

const hashOf = (key: string) => createHash('sha256').update(key).digest()

/** A new random key. Recognisable by its front, so that people and secret scanners know what they found. */
export function newApiKey(): string {
  return `tocsin_${randomBytes(32).toString('base64url')}`
}

/** Makes the key known; knowing it already is fine. Only its hash reaches the database. */
export async function saveApiKey(db: Queryable, key: string, { key_id, name }: ApiKey): Promise<void> {
  await db.query(
    `INSERT INTO api_keys (key_id, name, key_hash) VALUES ($1, $2, $3)
     ON CONFLICT (key_id) DO UPDATE SET name = excluded.name, key_hash = excluded.key_hash`,
    [key_id, name, hashOf(key)],
  )
}

/** Looked up by hash, so the comparison leaks nothing about a key by its timing. */
export async function findApiKey(db: Queryable, key: string): Promise<ApiKey | undefined> {
  const { rows } = await db.query<{ key_id: string; name: string }>(
    'SELECT key_id, name FROM api_keys WHERE key_hash = $1',
    [hashOf(key)],
  )
  return rows[0]
}
