import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { styleText } from 'node:util'
import type { IngestResult, NotificationResource } from '@tocsin/contracts/http'
import { createDemoTeam, type DemoTeam, listNotifications, until, untilLive } from '../demo/demo-team.ts'
import { mailsTo } from '../demo/mailbox.ts'
import { startWebhookReceiver, type WebhookReceiver } from '../demo/webhook-receiver.ts'
import { CliError } from '../report.ts'
import type { Command } from './command.ts'
import { connectStack, type StackClient } from './stack-client.ts'
import { aligned } from './status.ts'

export const command: Command = {
  help: `demo

Against the running stack: creates a team with a webhook, an email address and two rules, sends alerts,
and shows what was told to whom, and how long it took. Exit code 1 when something did not arrive.
`,
  options: {},
  maxPositionals: 0,

  async run({ home }) {
    const stack = await connectStack(home)
    await using receiver = await startWebhookReceiver()
    const team = await createDemoTeam(stack, receiver.url)
    receiver.trust(team.webhookSecret)
    heading(`Team ${team.source}`)
    line(`webhook   ${receiver.url}`)
    line(`email     ${team.mailAddress}`)
    for (const rule of team.rules) {
      line(`rule      ${rule.name}: live in ${await untilLive(stack, team, rule)} evaluators`)
    }
    const alerts = await sendAlerts(stack, team)
    await showWebhooks(receiver, alerts)
    await showEmail(stack, team, alerts)
    await showNotifications(stack, team, alerts)
    if (receiver.refused.length > 0) throw new CliError(`A webhook had a wrong signature: ${receiver.refused[0]}`)
    process.stdout.write(
      `\n${styleText('green', 'All of it arrived, and nothing else.', { stream: process.stdout })}\n`,
    )
    return 0
  },
}

interface SentAlert {
  readonly alertId: string
  readonly name: string
  readonly sentAtMs: number
}

interface SentAlerts {
  readonly checkout: SentAlert
  readonly disk: SentAlert
}

async function sendAlerts(stack: StackClient, { source }: DemoTeam): Promise<SentAlerts> {
  heading('Alerts')
  const send = async (alert: Record<string, unknown> & { name: string }, remark: string): Promise<SentAlert> => {
    const sentAtMs = performance.now()
    const url = `${stack.urls.alert_producer}/api/v1/alerts`
    const { results } = await stack.call<{ results: IngestResult[] }>('POST', url, { source, ...alert })
    const [result] = results
    if (result?.status !== 'accepted') throw new CliError(`The alert was not accepted: ${JSON.stringify(result)}`)
    line(`sent      ${alert.name.padEnd(16)} ${remark} → ${result.topic}/${result.partition} at ${result.offset}`)
    return { alertId: result.alert_id, name: alert.name, sentAtMs }
  }
  const slow = { alert_id: randomUUID(), severity: 'HIGH', name: 'checkout slow' }
  const context = { region: 'eu-west-1', p95_ms: 1_840 }
  const checkout = await send({ ...slow, context }, 'HIGH, matches the first rule')
  await send(
    { severity: 'HIGH', name: 'checkout slow', context: { region: 'us-east-1', p95_ms: 1_700 } },
    'in the US: matches nothing',
  )
  const disk = await send(
    { severity: 'CRITICAL', name: 'disk full', context: { host: 'db-3' } },
    'CRITICAL, matches the second rule',
  )
  await send({ ...slow, context }, 'the first one again: told once')
  return { checkout, disk }
}

async function showWebhooks({ received }: WebhookReceiver, alerts: SentAlerts): Promise<void> {
  heading('Webhooks received')
  for (const { alertId, name, sentAtMs } of Object.values(alerts) as SentAlert[]) {
    const { body, atMs } = await until(`the webhook of ${name}`, () =>
      received.find(webhook => webhook.body.data.alert.alert_id === alertId),
    )
    const rules = body.data.rules.map(rule => rule.name).join(', ')
    line(`${elapsed(sentAtMs, atMs)} ${body.type}  ${name}, because of ${rules}; signature verified`)
  }
}

async function showEmail({ urls }: StackClient, { mailAddress }: DemoTeam, { checkout }: SentAlerts): Promise<void> {
  heading('Email received')
  const mailUrl = urls.mail
  if (mailUrl === null) return line('the mail server is given by SMTP_URL: nothing to look into')
  const mail = await until('the email', async () => (await mailsTo(mailAddress, mailUrl))[0])
  line(`${elapsed(checkout.sentAtMs, performance.now())} ${mail.subject}`)
  line(`          to ${mailAddress}, at ${mailUrl}/#/email/${mail.id}`)
}

/** Long enough for a second telling of the repeated alert to show itself, were there one. */
const repeatShowsWithinMs = 1_000

async function showNotifications(stack: StackClient, team: DemoTeam, alerts: SentAlerts): Promise<void> {
  await sleep(repeatShowsWithinMs)
  const expected = [alerts.checkout.alertId, alerts.disk.alertId]
  const notifications = await until('both notifications to be delivered', async () => {
    const items = await listNotifications(stack, team)
    return items.filter(item => item.status === 'delivered').length >= expected.length ? items : undefined
  })
  heading(`Notifications  (${team.url}/notifications)`)
  const row = (item: NotificationResource) => [
    `  ${item.notification_id}`,
    String(item.alert.name),
    item.status,
    item.rules.map(rule => rule.name).join(', '),
  ]
  process.stdout.write(`${aligned(notifications.map(row))}\n`)
  const unexpected = notifications.filter(item => !expected.includes(item.alert_id))
  if (unexpected.length > 0 || notifications.length !== expected.length) {
    throw new CliError(`Expected one notification of each of ${expected.length} alerts, not ${notifications.length}`)
  }
}

function heading(text: string): void {
  process.stdout.write(`\n${styleText('bold', text, { stream: process.stdout })}\n`)
}

function line(text: string): void {
  process.stdout.write(`  ${text}\n`)
}

function elapsed(fromMs: number, toMs: number): string {
  return `${(toMs - fromMs).toFixed(0)} ms`.padStart(8)
}
