import { type Stack, serviceNames, startStack } from '@tocsin/testkit/stack'
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

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test.each(serviceNames)(
    `${signal} of %s while 1,000 alerts flow, then its restart: 1,000 notifications, each delivered`,
    async name => {
      const service = stack.services[name]
      const flow = { api: stack, database: stack.database, receiver, team }
      await expectNothingLost(flow, `${signal}-${name}`, async () => {
        const exitCode = await service.end(signal)
        if (signal === 'SIGTERM') expect(exitCode).toBe(0)
        await service.start()
      })
      await stack.untilReady()
    },
    2 * takeoverMs,
  )
}
