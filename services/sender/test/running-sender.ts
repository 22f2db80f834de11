import { type InProcess, startInProcess } from '@tocsin/testkit/service-in-process'
import { onTestFinished } from 'vitest'
import { settings } from '../src/config.ts'
import { start } from '../src/start.ts'
import { loseRedisKeys } from './redis-keys.ts'

export async function startSender(
  environment: Record<string, string>,
  overrides: Record<string, string> = {},
): Promise<InProcess> {
  const sender = startInProcess('sender', start, settings, { ...environment, ...overrides })
  onTestFinished(async () => {
    await sender.stop()
    await loseRedisKeys(environment)
  })
  await sender.untilReady()
  return sender
}
