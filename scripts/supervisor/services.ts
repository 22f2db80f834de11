import { join } from 'node:path'
import { cloneFolder, type Home, logFileOf } from '../home.ts'
import type { Infra } from '../infra/infra.ts'
import { type PartName, partNames } from '../infra/infra-part.ts'
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

/** The caller's only if the server is: its TLS and SASL would only fail against one that we start. */
const settingsOfServers: Readonly<Record<PartName, RegExp>> = {
  kafka: /^KAFKA_(BROKERS$|TLS|SASL)/,
  postgres: /^DATABASE_(URL$|TLS)/,
  redis: /^REDIS_(URL$|TLS)/,
  mail: /^SMTP_URL$/,
}

const settingsOfStack = {
  HOST: loopback,
  // A developer's webhook receiver runs on this machine.
  ALLOW_LOOPBACK_WEBHOOKS: 'true',
}

/** The caller's environment without what the stack itself provides to its services. */
export function callersSettings(env: NodeJS.ProcessEnv, given: readonly PartName[]): NodeJS.ProcessEnv {
  const ours = partNames.filter(part => !given.includes(part)).map(part => settingsOfServers[part])
  const isOurs = (name: string) =>
    name === 'PORT' || Object.hasOwn(settingsOfStack, name) || ours.some(pattern => pattern.test(name))
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isOurs(name)))
}

/** The caller's environment, with the servers of this stack in it. */
export function serviceEnvironment(env: NodeJS.ProcessEnv, infra: Infra): NodeJS.ProcessEnv {
  const given = infra.parts.filter(part => part.kind === 'given').map(part => part.name)
  return {
    ...callersSettings(env, given),
    ...settingsOfStack,
    DATABASE_URL: infra.databaseUrl,
    KAFKA_BROKERS: infra.kafkaBrokers,
    REDIS_URL: infra.redisUrl,
    SMTP_URL: infra.mail.smtpUrl,
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

/**
 * V8 lets young objects grow to three times 64 MB before it looks at them; with a quarter of that a service that drains a
 * backlog takes 100 MB less, and no more time. Only at the start of a process can it be told so.
 */
const nodeFlags = ['--max-semi-space-size=16']

export function serviceSpec(name: ServiceName, { home, env, portBase }: ServiceContext): ProcessSpec {
  return {
    name,
    command: process.execPath,
    args: [...nodeFlags, join(cloneFolder, 'services', name, 'src/main.ts')],
    env: { ...env, PORT: String(servicePort(name, portBase)) },
    logFile: logFileOf(home, name),
    stopSteps: [{ signal: 'SIGTERM', graceMs: stopGraceMs(env) }],
  }
}
