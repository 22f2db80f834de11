import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { logFileOf } from '../home.ts'
import { type InfraPart, type PartContext, processPart } from './infra-part.ts'
import type { InfraPorts } from './infra-ports.ts'
import { fetchKafkaJars, haveKafkaJars, jars, kafkaVersion } from './kafka-jars.ts'
import { loopback } from './ports.ts'
import { kafkaAnswers } from './probes.ts'
import { runCommand } from './run-command.ts'
import type { Programs } from './system-packages.ts'

export function embeddedKafka(context: PartContext, ports: InfraPorts, programs: Programs): InfraPart {
  const { home, env, signal } = context
  const data = join(home.data, 'kafka')
  const settingsFile = join(home.run, 'kafka.properties')
  return processPart(
    {
      name: 'kafka',
      title: `embedded ${kafkaVersion} on port ${ports.kafka}`,
      port: ports.kafka,
      settings: { KAFKA_BROKERS: `${loopback}:${ports.kafka}` },
      async prepare() {
        const java = await programs.java
        if (!haveKafkaJars()) await fetchKafkaJars(await programs.maven, context)
        if (!existsSync(join(data, 'meta.properties'))) {
          await format(java, data, `${settingsFile}.format`, ports, signal)
        }
        writeFileSync(settingsFile, properties(data, ports))
        return {
          name: 'kafka',
          command: java,
          args: [...javaOptions, '-cp', join(jars, '*'), 'kafka.Kafka', settingsFile],
          env,
          logFile: logFileOf(home, 'kafka'),
          stopSteps: [{ signal: 'SIGTERM', graceMs: 20_000 }],
        }
      },
      answers: () => kafkaAnswers({ host: loopback, port: ports.kafka }),
    },
    context,
  )
}

const javaOptions = [
  '-Xmx512m',
  '-Xms256m',
  '-Djava.awt.headless=true',
  '-Dorg.slf4j.simpleLogger.showDateTime=true',
  '-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd HH:mm:ss,SSS',
]

export interface BrokerPlace {
  readonly logFolder: string
  /** Each as host:port. */
  readonly listen: string
  readonly advertise: string
  readonly controller: string
}

/** One node that is broker and controller. The quorum is static, so the controller may change its port between starts. */
export function brokerSettings({ logFolder, listen, advertise, controller }: BrokerPlace) {
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@${controller}`,
    'controller.listener.names': 'CONTROLLER',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    listeners: `PLAINTEXT://${listen},CONTROLLER://${controller}`,
    'advertised.listeners': `PLAINTEXT://${advertise}`,
    'log.dirs': logFolder,
    // Topics are declared in packages/contracts; one that appears because of a typing error helps nobody.
    'auto.create.topics.enable': false,
    'num.partitions': 9,
    'offsets.topic.replication.factor': 1,
    // Each partition costs files and start-up time; six groups need no fifty.
    'offsets.topic.num.partitions': 9,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 9,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    // There is nobody else to wait for.
    'group.initial.rebalance.delay.ms': 0,
    'log.retention.hours': 168,
    'log.segment.bytes': 268_435_456,
    // The default buffer of 128 MB would be a quarter of the heap.
    'log.cleaner.dedupe.buffer.size': 16_777_216,
  }
}

function properties(logFolder: string, { kafka, kafka_controller }: InfraPorts): string {
  const broker = `${loopback}:${kafka}`
  const controller = `${loopback}:${kafka_controller}`
  const settings = brokerSettings({ logFolder, listen: broker, advertise: broker, controller })
  return Object.entries(settings)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

/** Made beside its place and moved there whole, so that an interrupted start leaves nothing half-made. */
async function format(java: string, data: string, settingsFile: string, ports: InfraPorts, signal: AbortSignal) {
  const draft = `${data}.partial`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true })
  writeFileSync(settingsFile, properties(draft, ports))
  const clusterId = randomBytes(16).toString('base64url')
  // A JVM that lives for a second is quicker without its optimising compiler.
  const quick = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto']
  const tool = ['-cp', join(jars, '*'), 'kafka.tools.StorageTool', 'format']
  await runCommand(java, [...quick, ...tool, `--cluster-id=${clusterId}`, '--config', settingsFile], { signal })
  rmSync(settingsFile)
  renameSync(draft, data)
}
