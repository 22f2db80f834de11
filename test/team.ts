import { randomBytes } from 'node:crypto'
import { eventually } from '@tocsin/testkit/eventually'
import { expect } from 'vitest'

/** How a test talks to a running system, however that was started. */
export interface Api {
  call(method: string, path: string, body?: unknown): Promise<{ status: number; body: never }>
}

interface Rule {
  rule_id: string
  version: number
}

/** A team of one test's own, with a webhook and a mail endpoint, and rules that match one alert name only. */
export interface Team {
  id: string
  alertName: string
  webhookId: string
  webhookSecret: string
  emailId: string
  mailAddress: string
  /** Each of these returns when every evaluator matches with the change. */
  addRule(more?: object): Promise<Rule>
  changeRule(ruleId: string, change: object): Promise<void>
  deleteRule(ruleId: string): Promise<void>
}

export async function createTeam(api: Api, webhookUrl: string): Promise<Team> {
  const id = `team-${randomBytes(5).toString('hex')}`
  const alertName = `name-${id}`
  const mailAddress = `${id}@example.org`
  const path = `/api/v1/teams/${id}`
  const create = async (where: string, body: object): Promise<Record<string, string>> => {
    const { status, body: created } = await api.call('POST', where, body)
    expect(status, JSON.stringify(created)).toBe(201)
    return created
  }
  await create('/api/v1/teams', { team_id: id, name: id })
  const webhook = await create(`${path}/endpoints`, { kind: 'webhook', name: 'hook', url: `${webhookUrl}/hook` })
  const email = await create(`${path}/endpoints`, { kind: 'email', name: 'mail', to: [mailAddress] })

  const untilLive = (ruleId: string) =>
    eventually(async () => {
      const { body } = await api.call('GET', `${path}/rules/${ruleId}`)
      expect(body).toMatchObject({ live: { evaluators: '1/1' } })
    })
  return {
    id,
    alertName,
    mailAddress,
    webhookId: webhook.endpoint_id!,
    webhookSecret: webhook.secret!,
    emailId: email.endpoint_id!,
    async addRule(more = {}) {
      const rule = (await create(`${path}/rules`, {
        name: 'the name',
        conditions: { all: [{ fact: 'name', operator: 'equal', value: alertName }] },
        endpoints: [webhook.endpoint_id],
        ...more,
      })) as unknown as Rule
      await untilLive(rule.rule_id)
      return rule
    },
    async changeRule(ruleId, change) {
      const { status, body } = await api.call('PATCH', `${path}/rules/${ruleId}`, change)
      expect(status, JSON.stringify(body)).toBe(200)
      await untilLive(ruleId)
    },
    async deleteRule(ruleId) {
      expect((await api.call('DELETE', `${path}/rules/${ruleId}`)).status).toBe(204)
    },
  }
}
