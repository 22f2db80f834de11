import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Database } from '@tocsin/postgres/database'
import { callApi } from '@tocsin/testkit/call-api'
import { type Gate, startGate, targetOf } from '@tocsin/testkit/gate'
import { kafkaPassage } from '@tocsin/testkit/kafka-passage'
import { Network } from '@tocsin/testkit/network'
import { openDatabase } from '@tocsin/testkit/private-database'
import { ServiceProcess } from '@tocsin/testkit/service-process'
import { type ServiceName, serviceNames } from '@tocsin/testkit/stack'
import { toolsFolder } from '../../scripts/home.ts'
import type { Infra } from '../../scripts/infra/infra.ts'
import type { InfraPart } from '../../scripts/infra/infra-part.ts'
import { prepareStack } from '../../scripts/supervisor/prepare-stack.ts'
import { startTestServers, type TestServers } from '../../scripts/testing/test-servers.ts'
import type { Api } from '../team.ts'
import { type Server, servers } from './plan.ts'

/** The whole system, on servers of its own, with a gate between each service and each server. */
export interface Cluster extends Api, AsyncDisposable {
  readonly services: Readonly<Record<ServiceName, ServiceProcess>>
  readonly adminKey: string
  /** Another one of the same, past all gates. Not started yet. */
  another(service: ServiceName): ServiceProcess
  part(server: Server): InfraPart
  link(service: ServiceName, server: Server): { readonly network: Network; readonly gate: Gate }
  /** Past all gates. */
  readonly database: Database
  readonly kafkaBrokers: string
  readonly redisUrl: string
  /** What everybody said last. Once asked for, all of it stays, in the folder that is named at the end. */
  recentLogs(): string
}

type Links = Readonly<Record<ServiceName, Readonly<Record<Server, { network: Network; gate: Gate }>>>>

export async function startCluster(name: string): Promise<Cluster> {
  await using undo = new AsyncDisposableStack()
  const logs = join(toolsFolder, 'faults', name)
  rmSync(logs, { recursive: true, force: true })
  mkdirSync(logs, { recursive: true })
  let asked = false
  undo.defer(() => {
    if (!asked) rmSync(logs, { recursive: true, force: true })
  })
  const test = undo.use(await startOwnServers())
  const { infra, home } = test
  const adminKey = await prepareStack(home, environmentOf(infra), () => {})
  const links = await startLinks(infra, undo)
  const processes: ServiceProcess[] = []
  undo.defer(async () => void (await Promise.all(processes.map(process => process.end('SIGKILL')))))
  const create = (service: ServiceName, environment: Record<string, string>) => {
    const created = new ServiceProcess(service, environment, join(logs, `${service}.log`))
    processes.push(created)
    return created
  }
  const services = Object.fromEntries(
    serviceNames.map(service => [service, create(service, environmentOf(infra, links[service]))]),
  ) as Cluster['services']
  await Promise.all(Object.values(services).map(service => service.start()))
  await Promise.all(Object.values(services).map(service => service.untilReady()))
  const database = openDatabase(infra.databaseUrl)
  undo.defer(() => database.close())
  const running = undo.move()
  const [ruleService, alertProducer] = [services['rule-service'].url, services['alert-producer'].url]
  return {
    services,
    adminKey,
    another: service => create(service, environmentOf(infra)),
    part: server => infra.parts.find(part => part.name === server)!,
    link: (service, server) => links[service][server],
    call: callApi({ ruleService, alertProducer, key: adminKey }),
    database,
    kafkaBrokers: infra.kafkaBrokers,
    redisUrl: infra.redisUrl,
    recentLogs() {
      asked = true
      for (const file of readdirSync(home.logs)) copyFileSync(join(home.logs, file), join(logs, file))
      return [...processes.map(process => process.recentLog()), `All logs: ${logs}`].join('\n')
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** Killed servers must still know what they acknowledged, so these flush. */
function startOwnServers(): Promise<TestServers> {
  const { DATABASE_URL: _d, KAFKA_BROKERS: _k, REDIS_URL: _r, SMTP_URL: _s, ...env } = process.env
  const { signal } = new AbortController()
  return startTestServers({ kind: 'embedded', env, report: () => {}, signal, fsync: true })
}

async function startLinks(infra: Infra, undo: AsyncDisposableStack): Promise<Links> {
  const startLink = async (server: Server) => {
    const address = targetOf({ kafka: infra.kafkaBrokers, postgres: infra.databaseUrl, redis: infra.redisUrl }[server])
    const network = new Network()
    const plain = () => ({ there: [network.line()], back: [network.line()] })
    const gate: Gate = await startGate(address, () =>
      server === 'kafka' ? kafkaPassage(address, gate, plain)() : plain(),
    )
    undo.use(gate)
    await gate.open()
    return [server, { network, gate }] as const
  }
  const ofServices = serviceNames.map(
    async service => [service, Object.fromEntries(await Promise.all(servers.map(startLink)))] as const,
  )
  return Object.fromEntries(await Promise.all(ofServices)) as Links
}

/** Of a service, with the servers as it reaches them: directly, or each through its gate. */
function environmentOf(infra: Infra, links?: Links[ServiceName]): Record<string, string> {
  const through = (server: Server, address: string) => {
    if (links === undefined) return address
    const { host, port } = targetOf(address)
    return address.replace(`${host}:${port}`, `${links[server].gate.host}:${links[server].gate.port}`)
  }
  return {
    KAFKA_BROKERS: through('kafka', infra.kafkaBrokers),
    DATABASE_URL: through('postgres', infra.databaseUrl),
    REDIS_URL: through('redis', infra.redisUrl),
    SMTP_URL: infra.mail.smtpUrl,
    HOST: '127.0.0.1',
    PORT: '0',
    ALLOW_LOOPBACK_WEBHOOKS: 'true',
    LOG_LEVEL: process.env.TOCSIN_TEST_LOG_LEVEL ?? 'info',
  }
}
