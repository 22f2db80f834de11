import { randomBytes } from 'node:crypto'
import { eventually } from '@tocsin/testkit/eventually'
import { expect } from 'vitest'
import type { Api } from '../team.ts'
import type { Entry } from './ledger.ts'

/** Three teams that want to hear of different alerts, and one whose rule changes all the time. */
export interface Teams {
  readonly alertName: string
  /** Those that are told by webhook. The others have nobody to tell. */
  readonly withEndpoint: ReadonlySet<string>
  readonly all: readonly string[]
  /** Computed here by hand, not by the product. */
  toldOf(alert: Entry['alert']): string[]
  /** A new version of a rule that matches nothing, so that snapshots go on being made; fails when it cannot be. */
  changeARule(): Promise<void>
}

export async function createTeams(api: Api, webhookUrl: string): Promise<Teams> {
  const run = randomBytes(4).toString('hex')
  const [urgent, rates, firing, changing] = ['urgent', 'rates', 'firing', 'changing'].map(name => `${name}-${run}`) as [
    string,
    string,
    string,
    string,
  ]
  const alertName = `fault-${run}`
  const ofThisRun = { fact: 'name', operator: 'equal', value: alertName }
  const severe = (values: string[]) => ({ all: [ofThisRun, { fact: 'severity', operator: 'in', value: values }] })
  const above = (rate: number) => ({
    all: [ofThisRun, { fact: 'context', path: '$.error_rate', operator: 'greaterThan', value: rate }],
  })

  // Two rules that hold for the same alerts are one notification.
  const hook = await createTeam(api, urgent, webhookUrl)
  await addRule(api, urgent, { conditions: severe(['HIGH', 'CRITICAL']), endpoints: [hook] })
  await addRule(api, urgent, { conditions: severe(['CRITICAL']), endpoints: [hook] })
  await createTeam(api, rates, undefined)
  await addRule(api, rates, { conditions: above(0.5), endpoints: [] })
  const otherHook = await createTeam(api, firing, webhookUrl)
  await addRule(api, firing, { conditions: above(0.8), endpoints: [otherHook], notify_resolved: false })
  await createTeam(api, changing, undefined)
  const never = (value: string) => ({ all: [{ fact: 'name', operator: 'equal', value }] })
  const ruleId = await addRule(api, changing, { conditions: never('never'), endpoints: [] })

  return {
    alertName,
    withEndpoint: new Set([urgent, firing]),
    all: [urgent, rates, firing, changing],
    toldOf({ severity, context: { error_rate }, status }) {
      return [
        ...(severity === 'LOW' ? [] : [urgent]),
        ...(error_rate > 0.5 ? [rates] : []),
        ...(error_rate > 0.8 && status === 'firing' ? [firing] : []),
      ]
    },
    async changeARule() {
      const change = { conditions: never(`never ${Date.now()}`) }
      const { status } = await api.call('PATCH', `/api/v1/teams/${changing}/rules/${ruleId}`, change)
      if (status !== 200) throw new Error(`a change of a rule was answered ${status}`)
    },
  }
}

/** Gives its webhook endpoint, or '' when it has none. */
async function createTeam(api: Api, id: string, webhookUrl: string | undefined): Promise<string> {
  await create(api, '/api/v1/teams', { team_id: id, name: id })
  if (webhookUrl === undefined) return ''
  const endpoint = { kind: 'webhook', name: 'hook', url: `${webhookUrl}/${id}` }
  return (await create(api, `/api/v1/teams/${id}/endpoints`, endpoint)).endpoint_id!
}

/** Returns when every evaluator matches with it. */
async function addRule(api: Api, team: string, rule: object): Promise<string> {
  const { rule_id } = await create(api, `/api/v1/teams/${team}/rules`, { name: 'a rule', ...rule })
  await eventually(async () => {
    const { body } = await api.call('GET', `/api/v1/teams/${team}/rules/${rule_id}`)
    expect(body).toMatchObject({ live: { evaluators: '1/1' } })
  })
  return rule_id!
}

async function create(api: Api, path: string, body: object): Promise<Record<string, string>> {
  const { status, body: created } = await api.call('POST', path, body)
  expect(status, JSON.stringify(created)).toBe(201)
  return created
}
