import { eventually } from '@tocsin/testkit/eventually'
import { mailsTo } from '@tocsin/testkit/mailbox'
import { publishRaw } from '@tocsin/testkit/raw-kafka'
import { testServers } from '@tocsin/testkit/servers'
import { type Stack, startStack } from '@tocsin/testkit/stack'
import { type ReceivedWebhook, startWebhookReceiver, type WebhookReceiver } from '@tocsin/testkit/webhook-receiver'
import { Webhook } from 'standardwebhooks'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTeam, type Team } from './team.ts'

let stack: Stack
let receiver: WebhookReceiver
let team: Team

beforeAll(async () => {
  stack = await startStack()
}, 120_000)
afterAll(() => stack?.stop())

beforeEach(async () => {
  receiver = await startWebhookReceiver()
  team = await createTeam(stack, receiver.url)
})
afterEach(async context => {
  await receiver.close()
  if (context.task.result?.state === 'fail') console.error(stack.recentLogs())
})

const alert = (more: object = {}) => ({
  severity: 'HIGH',
  source: 'api',
  name: team.alertName,
  context: { region: 'eu' },
  ...more,
})
const webhooks = (count: number) =>
  eventually(() => {
    expect(receiver.received).toHaveLength(count)
    return receiver.received
  })

/** Long enough for a second notification to have come: the first takes well under 100 ms. */
const quietMs = 1_500
const stayAt = async (count: number) => {
  await new Promise(resolve => setTimeout(resolve, quietMs))
  expect(receiver.received).toHaveLength(count)
}

function verified(request: ReceivedWebhook): { type: string; data: { alert: { alert_id: string } } } {
  const headers = request.headers as Record<string, string>
  return new Webhook(team.webhookSecret).verify(request.body, headers) as never
}

test('a system without a single rule is ready', async () => {
  const fresh = await startStack()
  const { rows } = await fresh.database.query('SELECT FROM rules')
  expect(rows).toHaveLength(0)
  await fresh.untilReady()
  await fresh.stop()
}, 120_000)

test('a rule made over REST and an alert sent over HTTP become a signed webhook and a mail', async () => {
  const rule = await team.addRule({ endpoints: [team.webhookId, team.emailId] })
  const sent = await stack.call('POST', '/api/v1/alerts', alert({ alert_id: `a-${team.id}` }))
  expect(sent).toEqual({
    status: 202,
    body: {
      results: [
        {
          status: 'accepted',
          alert_id: `a-${team.id}`,
          topic: 'alerts.new',
          partition: expect.any(Number),
          offset: expect.anything(),
        },
      ],
    },
  })

  const [request] = await webhooks(1)
  expect(verified(request!)).toMatchObject({
    type: 'alert.firing',
    data: {
      team_id: team.id,
      alert: {
        alert_id: `a-${team.id}`,
        severity: 'HIGH',
        source: 'api',
        name: team.alertName,
        context: { region: 'eu' },
      },
      rules: [{ rule_id: rule.rule_id, version: 1 }],
    },
  })
  const [mail] = await eventually(async () => {
    const mails = await mailsTo(team.mailAddress)
    expect(mails).toHaveLength(1)
    return mails
  })
  expect(mail!.subject).toContain(team.alertName)
  await eventually(async () => {
    const listed = await stack.call('GET', `/api/v1/teams/${team.id}/notifications?alert_id=a-${team.id}`)
    expect(listed.body).toMatchObject({
      items: [{ alert_id: `a-${team.id}`, rule_ids: [rule.rule_id], status: 'delivered' }],
      next_cursor: null,
    })
  })
})

test('an alert that another client publishes to Kafka as plain JSON is the same alert', async () => {
  await team.addRule()
  const value = JSON.stringify({ alert_id: `k-${team.id}`, severity: 'LOW', source: 'db', name: team.alertName })
  await publishRaw(testServers().kafkaBrokers, `${stack.topicPrefix}alerts.new`, [{ value }])
  const [request] = await webhooks(1)
  expect(verified(request!).data.alert.alert_id).toBe(`k-${team.id}`)
})

test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)(
  'alerts that another client compresses with %s are read',
  async codec => {
    await team.addRule()
    const values = ['1', '2'].map(id => JSON.stringify(alert({ alert_id: `${codec}-${id}-${team.id}` })))
    const records = values.map(value => ({ value, key: 'k' }))
    await publishRaw(testServers().kafkaBrokers, `${stack.topicPrefix}alerts.new`, records, codec)
    await webhooks(2)
  },
)

test('an alert that is sent twice, over HTTP and over Kafka, is told once', async () => {
  await team.addRule()
  const twice = alert({ alert_id: `t-${team.id}` })
  await stack.call('POST', '/api/v1/alerts', [twice, twice])
  await stack.call('POST', '/api/v1/alerts', twice)
  await publishRaw(testServers().kafkaBrokers, `${stack.topicPrefix}alerts.new`, [{ value: JSON.stringify(twice) }])
  await webhooks(1)
  await stayAt(1)
  const { rows } = await stack.database.query('SELECT FROM notifications WHERE team_id = $1', [team.id])
  expect(rows).toHaveLength(1)
})

test('an alert that matches two rules of a team is one notification that names both', async () => {
  const rules = [await team.addRule(), await team.addRule()]
  await stack.call('POST', '/api/v1/alerts', alert())
  const [request] = await webhooks(1)
  const told = verified(request!) as unknown as { data: { rules: { rule_id: string }[] } }
  expect(told.data.rules.map(rule => rule.rule_id).toSorted()).toEqual(rules.map(rule => rule.rule_id).toSorted())
})

test('a rule that is disabled is silent, and speaks again when it is enabled', async () => {
  const rule = await team.addRule()
  await team.changeRule(rule.rule_id, { enabled: false })
  await stack.call('POST', '/api/v1/alerts', alert())
  await stayAt(0)
  await team.changeRule(rule.rule_id, { enabled: true })
  await stack.call('POST', '/api/v1/alerts', alert())
  await webhooks(1)
})

test('a rule that is deleted is silent', async () => {
  const [gone, marker] = [await team.addRule(), await team.addRule()]
  await team.deleteRule(gone.rule_id)
  // A change that is live later than the deletion shows that the deletion is live too.
  await team.changeRule(marker.rule_id, { enabled: false })
  await stack.call('POST', '/api/v1/alerts', alert())
  await stayAt(0)
})

test('a rule without endpoints records the alert and tells nobody', async () => {
  await team.addRule({ endpoints: [] })
  await stack.call('POST', '/api/v1/alerts', alert({ alert_id: `n-${team.id}` }))
  await eventually(async () => {
    const listed = await stack.call('GET', `/api/v1/teams/${team.id}/notifications?alert_id=n-${team.id}`)
    expect(listed.body).toMatchObject({ items: [{ status: 'skipped' }] })
  })
  expect(receiver.received).toHaveLength(0)
})

test('a resolve is told as resolved, and not at all where the rule does not ask for it', async () => {
  const rule = await team.addRule()
  const resolve = () => alert({ dedup_key: `p-${team.id}`, status: 'resolved' })
  await stack.call('POST', '/api/v1/alerts', resolve())
  const [request] = await webhooks(1)
  expect(verified(request!).type).toBe('alert.resolved')
  await team.changeRule(rule.rule_id, { notify_resolved: false })
  await stack.call('POST', '/api/v1/alerts', resolve())
  await stayAt(1)
})

test('a malformed record goes to the dead letters, where the API shows it, and the partition goes on', async () => {
  await team.addRule()
  const topic = `${stack.topicPrefix}alerts.new`
  const good = JSON.stringify(alert({ alert_id: `g-${team.id}` }))
  const loud = JSON.stringify({ ...alert(), severity: 'LOUD' })
  await publishRaw(testServers().kafkaBrokers, topic, [
    { value: '{"alert_id":', partition: 3 },
    { value: loud, partition: 3 },
    { value: good, partition: 3 },
  ])
  await webhooks(1)
  const { items } = await eventually(async () => {
    const { body } = await stack.call('GET', '/api/v1/dead-letters?state=waiting&service=evaluator')
    expect(body).toMatchObject({ items: [{}, {}] })
    return body as { items: { dead_letter_id: string; source: object }[] }
  })
  const letters = await Promise.all(
    items.map(async ({ dead_letter_id }) => (await stack.call('GET', `/api/v1/dead-letters/${dead_letter_id}`)).body),
  )
  const source = { topic, partition: 3 }
  expect(letters).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        source: expect.objectContaining(source),
        value: { base64: btoa('{"alert_id":'), text: '{"alert_id":' },
        error: { code: 'not_json', message: expect.anything() },
      }),
      expect.objectContaining({
        source: expect.objectContaining(source),
        value: { base64: btoa(loud), text: loud },
        error: { code: 'not_the_schema', message: expect.stringContaining('/severity') },
      }),
    ]),
  )
})
