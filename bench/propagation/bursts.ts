import { setTimeout as sleep } from 'node:timers/promises'
import type { RuleResource } from '@tocsin/contracts/http'
import type { Database } from '@tocsin/postgres/database'
import type { StackClient } from '../../scripts/cli/stack-client.ts'
import { untilCurrent } from './probes.ts'

export interface Burst {
  /** From the first change to the end of the last write. */
  readonly writtenS: number
  /** From the first change until every evaluator matches with all of them. */
  readonly liveS: number
}

async function timed(stack: StackClient, write: () => Promise<unknown>): Promise<Burst> {
  const startedAt = performance.now()
  const seconds = () => (performance.now() - startedAt) / 1_000
  await write()
  const writtenS = seconds()
  await untilCurrent(stack)
  return { writtenS, liveS: seconds() }
}

/** As many people and programs change rules at the same time. */
const writers = 20

/** As fast as rule-service takes them. */
export function changeOverRest(stack: StackClient, ruleUrls: readonly string[]): Promise<Burst> {
  const left = ruleUrls.values()
  const writer = async () => {
    for (const url of left) await rename(stack, url)
  }
  return timed(stack, () => Promise.all(Array.from({ length: writers }, writer)))
}

export async function rename(stack: StackClient, url: string): Promise<void> {
  await stack.call<RuleResource>('PATCH', url, { name: `renamed at ${Date.now()}` })
}

const transactions = 20
const everyMs = 40

/** Within a second, whatever rule-service can take: as its statement writes them, in transactions of some rules each. */
export function changeInBulk(stack: StackClient, database: Database, ids: readonly string[]): Promise<Burst> {
  const perTransaction = Math.ceil(ids.length / transactions)
  return timed(stack, async () => {
    const writes: Promise<unknown>[] = []
    for (let from = 0; from < ids.length; from += perTransaction) {
      writes.push(database.query(renameAll, [ids.slice(from, from + perTransaction), `renamed at ${Date.now()}`]))
      await sleep(everyMs)
    }
    await Promise.all(writes)
  })
}

const renameAll = `
  WITH written AS (
    UPDATE rules SET name = $2, version = version + 1, updated_at = now() WHERE rule_id = ANY($1)
    RETURNING *
  ), recorded AS (
    INSERT INTO rule_versions (rule_id, version, team_id, action, definition)
    SELECT rule_id, version, team_id, 'updated', jsonb_build_object('name', name, 'conditions', conditions,
           'shorthand', shorthand, 'endpoints', endpoint_ids, 'enabled', enabled, 'notify_resolved', notify_resolved)
      FROM written
    RETURNING rule_id, version, team_id, changed_at
  ), told AS (
    INSERT INTO outbox (topic, key, message)
    SELECT 'rule.changed', rule_id, jsonb_build_object('schema_version', 1, 'team_id', team_id, 'rule_id', rule_id,
           'version', version, 'action', 'updated', 'changed_at', changed_at)
      FROM recorded
  )
  SELECT pg_notify('outbox', '')`
