import { AppError } from '@tocsin/runtime/errors'

export interface TestServers {
  databaseUrl: string
  kafkaBrokers: string
  redisUrl: string
  smtpUrl: string
  mailWebUrl: string
}

/** The real servers that `./tocsin test` started. A test without them fails: it never quietly runs less. */
export function testServers(): TestServers {
  return {
    databaseUrl: given('TOCSIN_TEST_DATABASE_URL'),
    kafkaBrokers: given('TOCSIN_TEST_KAFKA_BROKERS'),
    redisUrl: given('TOCSIN_TEST_REDIS_URL'),
    smtpUrl: given('TOCSIN_TEST_SMTP_URL'),
    mailWebUrl: given('TOCSIN_TEST_MAIL_WEB_URL'),
  }
}

function given(name: string): string {
  const value = process.env[name]
  if (value) return value
  throw new AppError(
    'no_test_servers',
    `${name} is not set: run this test through ./tocsin test, which starts real servers`,
  )
}
