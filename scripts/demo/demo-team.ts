import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EndpointResource, NotificationResource, Page, RuleResource, TeamResource } from '@tocsin/contracts/http'
import type { StackClient } from '../cli/stack-client.ts'
import { CliError } from '../report.ts'

/** How long anything may take that should take milliseconds. */
export const patienceMs = 20_000

export interface DemoTeam {
  readonly url: string
  /** What the alerts of this run come from, and what the rules ask for: no other alert is told to this team. */
  readonly source: string
  readonly mailAddress: string
  readonly webhookSecret: string
  readonly rules: readonly RuleResource[]
}

/** A team with two endpoints and a rule in each of the two forms. */
export async function createDemoTeam(stack: StackClient, webhookUrl: string): Promise<DemoTeam> {
  const id = `demo-${randomBytes(4).toString('hex')}`
  const url = `${stack.urls.rule_service}/api/v1/teams/${id}`
  const create = <Resource>(path: string, body: unknown) => stack.call<Resource>('POST', url + path, body)
  await stack.call<TeamResource>('POST', `${stack.urls.rule_service}/api/v1/teams`, { team_id: id, name: 'Demo' })

  const mailAddress = `on-call@${id}.example.org`
  const webhook = await create<EndpointResource & { secret: string }>('/endpoints', {
    kind: 'webhook',
    name: 'operations',
    url: webhookUrl,
  })
  const email = await create<EndpointResource>('/endpoints', { kind: 'email', name: 'on call', to: [mailAddress] })
  const slowCheckout = await create<RuleResource>('/rules', {
    name: 'Slow checkout in the EU',
    conditions: {
      all: [
        { fact: 'source', operator: 'equal', value: id },
        { fact: 'severity', operator: 'in', value: ['HIGH', 'CRITICAL'] },
        { fact: 'context', path: '$.region', operator: 'in', value: ['eu-west-1', 'eu-central-1'] },
        { fact: 'context', path: '$.p95_ms', operator: 'greaterThan', value: 500 },
      ],
    },
    endpoints: [webhook.endpoint_id, email.endpoint_id],
  })
  const diskFull = await create<RuleResource>('/rules', {
    severity: 'CRITICAL',
    source: id,
    name: 'disk full',
    endpoints: [webhook.endpoint_id],
  })
  return { url, source: id, mailAddress, webhookSecret: webhook.secret, rules: [slowCheckout, diskFull] }
}

/** Until every running evaluator matches with the rule. Gives how many that are, as `n/n`. */
export async function untilLive(stack: StackClient, team: DemoTeam, rule: RuleResource): Promise<string> {
  return until(`rule ${rule.name} to be live`, async () => {
    const { live } = await stack.call<RuleResource>('GET', `${team.url}/rules/${rule.rule_id}`)
    const [matching, running] = (live?.evaluators ?? '0/0').split('/').map(Number)
    return running && matching === running ? live?.evaluators : undefined
  })
}

export async function listNotifications(stack: StackClient, team: DemoTeam): Promise<NotificationResource[]> {
  return (await stack.call<Page<NotificationResource>>('GET', `${team.url}/notifications`)).items
}

/** Looks again until `look` finds something; an error that names it when it does not come. */
export async function until<T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const deadline = Date.now() + patienceMs; Date.now() < deadline; await sleep(10)) {
    const found = await look()
    if (found !== undefined) return found
  }
  throw new CliError(`Waited ${patienceMs / 1_000} s for ${what}: it did not come`)
}
