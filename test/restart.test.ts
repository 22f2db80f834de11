import { type ServiceName, type Stack, serviceNames, startStack } from '@tocsin/testkit/stack'
import { startWebhookReceiver, type WebhookReceiver } from '@tocsin/testkit/webhook-receiver'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { expectNothingLost, takeoverMs } from './flow.ts'
import { createTeam, type Team } from './team.ts'

let stack: Stack
let receiver: WebhookReceiver
let team: Team

beforeAll(async () => {
  stack = await startStack()
  receiver = await startWebhookReceiver()
  team = await createTeam(stack, receiver.url)
  await team.addRule()
})
afterAll(async () => {
  await stack?.stop()
  await receiver?.close()
})
afterEach(context => {
  if (context.task.result?.state === 'fail') console.error(stack.recentLogs())
})

test.each(serviceNames)(
  'SIGTERM of %s while 1,000 alerts flow, then its restart: 1,000 notifications, each delivered',
  name => nothingLostBy('SIGTERM', [name]),
  2 * takeoverMs,
)

/** A kill takes 10 to 30 s to be got over, so each alone is for the long form. */
const killed = [serviceNames, ...(process.env.TOCSIN_TEST_DEEP ? serviceNames.map(name => [name]) : [])]

test.each(killed.map(names => [names] as const))(
  'SIGKILL of %s while 1,000 alerts flow, then their restart: 1,000 notifications, each delivered',
  names => nothingLostBy('SIGKILL', names),
  2 * takeoverMs,
)

async function nothingLostBy(signal: 'SIGTERM' | 'SIGKILL', names: readonly ServiceName[]): Promise<void> {
  const flow = { api: stack, database: stack.database, receiver, team }
  await expectNothingLost(flow, `${signal}-${names.join('-')}`, async () => {
    const exitCodes = await Promise.all(names.map(name => stack.services[name].end(signal)))
    if (signal === 'SIGTERM') expect(exitCodes).toEqual(names.map(() => 0))
    await Promise.all(names.map(name => stack.services[name].start()))
  })
  await stack.untilReady()
}
