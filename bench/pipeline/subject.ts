import type { StackClient } from '../../scripts/cli/stack-client.ts'
import { untilCurrent } from '../propagation/probes.ts'

/** The teams of a run, `<source>-1` and so on, each with one rule: all alerts of this source. The first may have a webhook. */
export async function makeTeams(stack: StackClient, source: string, count: number, webhook?: string): Promise<void> {
  for (let team = 1; team <= count; team++) {
    const url = `${stack.urls.rule_service}/api/v1/teams`
    const ofTeam = `${url}/${source}-${team}`
    await stack.call('POST', url, { team_id: `${source}-${team}`, name: 'Benchmark' })
    const endpoints = webhook !== undefined && team === 1 ? [await makeEndpoint(stack, ofTeam, webhook)] : []
    const conditions = { all: [{ fact: 'source', operator: 'equal', value: source }] }
    await stack.call('POST', `${ofTeam}/rules`, { name: 'all of this run', conditions, endpoints })
  }
  await untilCurrent(stack)
}

async function makeEndpoint(stack: StackClient, teamUrl: string, url: string): Promise<string> {
  const endpoint = { kind: 'webhook', name: 'sink', url }
  return (await stack.call<{ endpoint_id: string }>('POST', `${teamUrl}/endpoints`, endpoint)).endpoint_id
}

/** Some 330 bytes. */
export const alertText = (source: string, alertId: string, number: number, eventAtMs: number): string =>
  JSON.stringify({
    alert_id: alertId,
    severity: 'HIGH',
    source,
    name: 'request latency above its limit',
    context: {
      service: `checkout-${number % 50}`,
      region: 'eu-central-1',
      host: `10.1.${number % 256}.${number % 251}`,
      latency_ms: 1_200 + (number % 700),
      limit_ms: 1_000,
      tags: ['payments', 'slo', 'p99'],
    },
    event_ts: new Date(eventAtMs).toISOString(),
  })
