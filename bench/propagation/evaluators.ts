import { setTimeout as sleep } from 'node:timers/promises'
import { ServiceProcess } from '@tocsin/testkit/service-process'
import type { StackClient } from '../../scripts/cli/stack-client.ts'

export interface Evaluator extends AsyncDisposable {
  readonly url: string
  /** From the start of the process until it had the rules. */
  readonly coldStartS: number
}

/** One more beside those of the stack, with the same servers. */
export async function startEvaluator({ urls }: StackClient): Promise<Evaluator> {
  const evaluator = new ServiceProcess('evaluator', {
    KAFKA_BROKERS: urls.kafka_brokers,
    REDIS_URL: urls.redis_url,
    HOST: '127.0.0.1',
    LOG_LEVEL: 'info',
  })
  const startedAt = performance.now()
  await evaluator.start()
  while (!(await hasRules(evaluator.url))) await sleep(25)
  const coldStartS = (performance.now() - startedAt) / 1_000
  await evaluator.untilReady()
  return {
    url: evaluator.url,
    coldStartS,
    async [Symbol.asyncDispose]() {
      await evaluator.end('SIGTERM')
    },
  }
}

async function hasRules(url: string): Promise<boolean> {
  const status = (await (await fetch(`${url}/status`)).json()) as { snapshot_version?: number }
  return status.snapshot_version !== undefined
}

/** What it says of itself now, by the name of a metric without labels. */
export async function metricsOf(url: string): Promise<(name: string) => number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return name => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(text)?.[1])
}
