import { join } from 'node:path'
import { cloneFolder, type Home, logFileOf } from '../home.ts'
import type { Infra } from '../infra/infra.ts'
import type { PartName } from '../infra/infra-part.ts'
import { loopback } from '../infra/ports.ts'
import type { ProcessSpec } from '../processes/managed-process.ts'

/** In the order of the ports, which count up from the base: 8080 is the REST API, 8081 takes alerts. */
export const serviceNames = [
  'rule-service',
  'alert-producer',
  'evaluator',
  'aggregator',
  'sender',
  'rule-updater',
] as const

export type ServiceName = (typeof serviceNames)[number]

/** From the end of the flow to its beginning: what stops later still finds its downstream topics read. */
export const stopOrder: readonly ServiceName[] = [
  'sender',
  'aggregator',
  'evaluator',
  'rule-updater',
  'alert-producer',
  'rule-service',
]

export const usualPortBase = 8080

export function servicePort(name: ServiceName, portBase: number): number {
  return portBase + serviceNames.indexOf(name)
}

export function serviceUrl(name: ServiceName, portBase: number): string {
  return `http://${loopback}:${servicePort(name, portBase)}`
}

/** TLS and SASL settings are those of a given server; against one that we start they would only fail. */
const settingsOfGivenServers: Readonly<Record<PartName, RegExp | undefined>> = {
  kafka: /^KAFKA_(TLS|SASL)/,
  postgres: /^DATABASE_TLS/,
  redis: /^REDIS_TLS/,
  mail: undefined,
}

/** The caller's environment, with the servers of this stack in it. */
export function serviceEnvironment(env: NodeJS.ProcessEnv, infra: Infra): NodeJS.ProcessEnv {
  const foreign = infra.parts
    .filter(part => part.kind !== 'given')
    .flatMap(part => settingsOfGivenServers[part.name] ?? [])
  return {
    ...Object.fromEntries(Object.entries(env).filter(([name]) => !foreign.some(pattern => pattern.test(name)))),
    DATABASE_URL: infra.databaseUrl,
    KAFKA_BROKERS: infra.kafkaBrokers,
    REDIS_URL: infra.redisUrl,
    SMTP_URL: infra.mail.smtpUrl,
    HOST: loopback,
    // A developer's webhook receiver runs on this machine.
    ALLOW_LOOPBACK_WEBHOOKS: 'true',
  }
}

export interface ServiceContext {
  readonly home: Home
  readonly env: NodeJS.ProcessEnv
  readonly portBase: number
}

/** The longest that a service takes by itself, which is the sender with attempts under way. */
const longestStopMs = 20_000

/** A second more than the service's own deadline, so that it can say itself which step of its stop was late. */
function stopGraceMs(env: NodeJS.ProcessEnv): number {
  const given = [env.STOP_GRACE_MS, env.PRODUCE_DEADLINE_MS].map(text => Number(text) || 0)
  // alert-producer takes 2 s more than its requests may wait.
  return Math.max(longestStopMs, ...given) + 3_000
}

export function serviceSpec(name: ServiceName, { home, env, portBase }: ServiceContext): ProcessSpec {
  return {
    name,
    command: process.execPath,
    args: [join(cloneFolder, 'services', name, 'src/main.ts')],
    env: { ...env, PORT: String(servicePort(name, portBase)) },
    logFile: logFileOf(home, name),
    stopSteps: [{ signal: 'SIGTERM', graceMs: stopGraceMs(env) }],
  }
}
