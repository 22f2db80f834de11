import { setTimeout as sleep } from 'node:timers/promises'
import type { SnapshotResource } from '@tocsin/contracts/http'
import { ServiceProcess } from '@tocsin/testkit/service-process'
import type { StackClient } from '../../scripts/cli/stack-client.ts'
import { untilCurrent } from './probes.ts'

export interface Takeover {
  /** From the kill until a successor has published its first snapshot. */
  readonly publishedS: number
  /** From the kill until every evaluator matches with it. */
  readonly liveS: number
}

/** Kills the process that leads, with a standby beside it, as nothing that it could have prepared for. */
export async function killLeader(stack: StackClient): Promise<Takeover> {
  const { urls } = stack
  await using _standby = await startStandby(urls)
  const before = await readSnapshot(stack)
  if (before.leader === null || before.token === null) throw new Error('nobody leads')
  // A leader's name is that of its machine, its process and its term.
  process.kill(Number(before.leader.leader_id.split('-').at(-2)), 'SIGKILL')
  const killedAt = performance.now()
  const seconds = () => (performance.now() - killedAt) / 1_000
  while (((await readSnapshot(stack)).token ?? 0) <= before.token) await sleep(20)
  const publishedS = seconds()
  await untilCurrent(stack)
  return { publishedS, liveS: seconds() }
}

const readSnapshot = (stack: StackClient) =>
  stack.call<SnapshotResource>('GET', `${stack.urls.rule_service}/api/v1/snapshot`)

async function startStandby(urls: StackClient['urls']): Promise<AsyncDisposable> {
  const standby = new ServiceProcess('rule-updater', {
    DATABASE_URL: urls.database_url,
    KAFKA_BROKERS: urls.kafka_brokers,
    REDIS_URL: urls.redis_url,
    HOST: '127.0.0.1',
  })
  await standby.start()
  await standby.untilReady()
  return { [Symbol.asyncDispose]: async () => void (await standby.end('SIGTERM')) }
}
