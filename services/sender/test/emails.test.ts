import { randomBytes } from 'node:crypto'
import { eventually } from '@tocsin/testkit/eventually'
import { mailsTo } from '@tocsin/testkit/mailbox'
import { testKafka } from '@tocsin/testkit/test-kafka'
import { expect } from 'vitest'
import { addMailbox, addWebhook, attemptsOf, deliveriesOf, notify, publishReady, statusOf } from './scene.ts'
import { test } from './sender-test.ts'

const address = () => `oncall-${randomBytes(6).toString('hex')}@example.org`

test('one mail for all addresses of an endpoint, with an id that comes from the delivery', async ({
  database,
  environment,
  startSender,
}) => {
  const [first, second] = [address(), address()]
  const notified = await notify(database, [await addMailbox(database, [first, second])], {
    context: { html: '<b>&</b>' },
  })
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await startSender({ MAIL_FROM: 'Tocsin <alerts@tocsin.example.org>' })
  await eventually(async () => expect(await statusOf(database, notified)).toBe('delivered'))

  const [delivery] = await deliveriesOf(database, notified)
  const mails = await mailsTo(first)
  expect(mails).toHaveLength(1)
  expect(mails[0]).toMatchObject({
    subject: '[HIGH] timeout on api',
    messageId: `${delivery?.delivery_id}@tocsin.example.org`,
    from: [{ address: 'alerts@tocsin.example.org' }],
  })
  expect(mails[0]?.to.map(to => to.address).toSorted()).toEqual([first, second].toSorted())
  expect(mails[0]?.text).toContain('"html": "<b>&</b>"')
  expect(mails[0]?.html).toContain('&lt;b&gt;&amp;&lt;/b&gt;')
  expect(await attemptsOf(database, delivery!.delivery_id)).toMatchObject([{ attempt: 1, reply_code: 250 }])
})

test('a name with line breaks writes no header and adds no recipient', async ({
  database,
  environment,
  startSender,
}) => {
  const [to, injected] = [address(), address()]
  const notified = await notify(database, [await addMailbox(database, [to])], {
    name: `timeout\r\nBcc: ${injected}\r\nX-Evil: 1`,
    source: `api\r\n\r\nbody ${'x'.repeat(150)}`,
  })
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await startSender()
  await eventually(async () => expect(await statusOf(database, notified)).toBe('delivered'))
  const [mail] = await mailsTo(to)
  expect(mail?.subject).toMatch(/^\[HIGH\] timeout Bcc: .* X-Evil: 1 on api body x+/)
  expect(await mailsTo(injected)).toEqual([])
})

test('an address that is none is not written into the mail as several', async ({
  database,
  environment,
  startSender,
}) => {
  const [to, injected] = [address(), address()]
  const endpoint = await addMailbox(database, [`${to}, ${injected}`])
  const notified = await notify(database, [endpoint])
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await startSender()
  await eventually(async () => expect((await deliveriesOf(database, notified))[0]?.attempts).toBe(1))
  expect(await mailsTo(injected)).toEqual([])
})

test('a mail server that is away holds up mails only: the sender is ready and webhooks go out', async ({
  database,
  environment,
  webhooks,
  startSender,
}) => {
  const endpoints = [await addMailbox(database, [address()]), await addWebhook(database, webhooks.url)]
  const notified = await notify(database, endpoints)
  await publishReady(testKafka(environment.KAFKA_TOPIC_PREFIX!), [notified])
  await startSender({ SMTP_URL: 'smtp://127.0.0.1:1' })
  await eventually(() => expect(webhooks.received).toHaveLength(1))
  await eventually(async () => {
    const deliveries = await deliveriesOf(database, notified)
    expect(deliveries.find(delivery => delivery.endpoint_id === endpoints[0])).toMatchObject({
      state: 'scheduled',
      last_error: 'connection_failed',
    })
  })
  expect(await statusOf(database, notified)).toBe('ready')
})
