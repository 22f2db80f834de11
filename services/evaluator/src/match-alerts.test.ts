import type { Rejection } from '@tocsin/kafka/failure'
import { MessagesRefused } from '@tocsin/kafka/kafka-errors'
import type { OutgoingMessage } from '@tocsin/kafka/producer'
import { AppError } from '@tocsin/runtime/errors'
import { expect, test } from 'vitest'
import { anyRule, linesOfRules, liveRulesOf } from '../test/rules-in-chunks.ts'
import { matchAlerts } from './match-alerts.ts'

const names = ({ key, value }: OutgoingMessage, alertId: string, team: string) =>
  key === alertId && String(value).includes(`"team_id":"${team}"`)

const tooLarge = new AppError('kafka_record_too_large', 'larger than allowed')

test('what Kafka refuses is told to the dead letters once for its alert, with the teams that lack it', async () => {
  const handled = await handle(
    ['a1', 'a2', 'a3'],
    message => names(message, 'a2', 'search') || names(message, 'a2', 'ops'),
  )
  expect(handled.map(({ record }) => record.offset)).toEqual([1])
  expect(handled[0]?.failure.error).toMatchObject({
    code: 'kafka_record_too_large',
    message: expect.stringMatching(/^not told to (search, ops|ops, search): larger than allowed$/),
    retryable: false,
  })
})

test('a batch that is written whole leaves nothing to tell', async () => {
  expect(await handle(['a1', 'a2'], () => false)).toEqual([])
})

test('any other failure is that of the whole batch', async () => {
  const away = new AppError('kafka_unavailable', 'away', { retryable: true })
  await expect(handle(['a1'], () => Promise.reject(away))).rejects.toBe(away)
})

/** With a producer that refuses some messages, as `send` says it does. */
async function handle(
  alertIds: string[],
  isRefused: (message: OutgoingMessage) => boolean | Promise<never>,
): Promise<Rejection[]> {
  const teams = ['payments', 'search', 'ops']
  const rules = teams.map(team_id => anyRule(`rule_of_${team_id}`, { team_id }))
  const send = async (messages: readonly OutgoingMessage[]) => {
    const verdicts = await Promise.all(messages.map(isRefused))
    const [first, ...more] = verdicts.flatMap((refused, index) => (refused ? [{ index, error: tooLarge }] : []))
    if (first) throw new MessagesRefused([first, ...more])
    return messages.map(({ topic }, offset) => ({ topic, partition: 0, offset }))
  }
  const cache = { current: await liveRulesOf(linesOfRules(rules)) }
  const stage = matchAlerts({ cache, producer: { send }, topic: 'alerts.matched' })
  const events = alertIds.map((alert_id, offset) => {
    const value = Buffer.from(JSON.stringify({ alert_id, severity: 'HIGH', source: 'api', name: 'timeout' }))
    const record = { topic: 'alerts.new', partition: 0, offset, timestamp: 1, key: null, value, headers: [] }
    return { value: stage.decode(record), record }
  })
  return [...((await stage.handle(events, new AbortController().signal)) ?? [])]
}
