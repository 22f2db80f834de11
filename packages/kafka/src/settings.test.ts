import { parseSettings } from '@tocsin/runtime/config'
import { describe, expect, it } from 'vitest'
import { kafkaAddress, kafkaSettings, kafkaSettingsProblems } from './settings.ts'

function parsed(env: Record<string, string>) {
  const result = parseSettings(kafkaSettings, env)
  if ('problems' in result) throw new Error(JSON.stringify(result.problems))
  return result.settings
}

describe('kafkaSettings', () => {
  it('needs nothing: a broker on this machine, no TLS, no login', () => {
    expect(kafkaAddress(parsed({}))).toEqual({ brokers: ['localhost:9092'] })
  })

  it('takes several brokers', () => {
    expect(kafkaAddress(parsed({ KAFKA_BROKERS: 'a:9092, b:9093,[::1]:9094' })).brokers).toEqual([
      'a:9092',
      'b:9093',
      '[::1]:9094',
    ])
  })

  it.each(['localhost', 'kafka://a:9092', 'a:9092,', 'a b:1'])('refuses %j as a broker list', KAFKA_BROKERS => {
    expect(() => parsed({ KAFKA_BROKERS })).toThrow(/host:port/)
  })

  it('gives the login, the password still wrapped', () => {
    const { sasl } = kafkaAddress(
      parsed({ KAFKA_SASL_MECHANISM: 'scram-sha-512', KAFKA_SASL_USERNAME: 'u', KAFKA_SASL_PASSWORD: 'p' }),
    )
    expect(sasl?.password.reveal()).toBe('p')
    expect(JSON.stringify(sasl)).toBe('{"mechanism":"scram-sha-512","username":"u","password":"[secret]"}')
  })

  it.each([
    [{ KAFKA_SASL_MECHANISM: 'plain' }, /KAFKA_SASL_USERNAME is needed for plain; KAFKA_SASL_PASSWORD is needed/],
    [{ KAFKA_SASL_USERNAME: 'u' }, /KAFKA_SASL_MECHANISM is needed/],
    [{ KAFKA_TLS_CA: '/ca.pem' }, /KAFKA_TLS must be true/],
    [{ KAFKA_TLS: 'true', KAFKA_TLS_CA: '/no/such/ca.pem' }, /KAFKA_TLS_CA cannot be read: ENOENT/],
    [{ KAFKA_TLS: 'true', KAFKA_TLS_CA: import.meta.filename }, /holds no PEM certificate|cannot be read/],
  ])('says what does not fit together in %j, before the service starts and also later', (env, message) => {
    const told = parseSettings(kafkaSettings, env as Record<string, string>, kafkaSettingsProblems)
    const texts = 'problems' in told ? told.problems.map(problem => `${problem.setting} ${problem.message}`) : []
    expect(texts.join('; ')).toMatch(message)
    expect(() => kafkaAddress(parsed(env as Record<string, string>))).toThrow(message)
  })
})
