import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Home, logFileOf } from '../home.ts'
import { type InfraPart, type PartContext, processPart } from './infra-part.ts'
import type { InfraPorts } from './infra-ports.ts'
import { fetchKafkaJars, haveKafkaJars, jars, kafkaVersion } from './kafka-jars.ts'
import { loopback } from './ports.ts'
import { kafkaAnswers } from './probes.ts'
import { javaEnvironment, runCommand } from './run-command.ts'
import type { Programs } from './system-packages.ts'

export function embeddedKafka(context: PartContext, ports: InfraPorts, programs: Programs): InfraPart {
  const { home, env, signal } = context
  return processPart(
    {
      name: 'kafka',
      title: `embedded ${kafkaVersion} on port ${ports.kafka}`,
      port: ports.kafka,
      settings: { KAFKA_BROKERS: `${loopback}:${ports.kafka}` },
      async prepare() {
        const java = await programs.java
        if (!haveKafkaJars()) await fetchKafkaJars(await programs.maven, context)
        linkJars(home)
        if (!existsSync(join(home.root, data, 'meta.properties'))) await format(java, home, ports, signal)
        writeFileSync(join(home.root, settingsFile), properties(data, ports))
        return {
          name: 'kafka',
          command: java,
          args: [...javaOptions, ...classPath, 'kafka.Kafka', settingsFile],
          cwd: home.root,
          env: javaEnvironment(env),
          logFile: logFileOf(home, 'kafka'),
          stopSteps: [{ signal: 'SIGTERM', graceMs: 20_000 }],
        }
      },
      answers: () => kafkaAnswers({ host: loopback, port: ports.kafka }),
    },
    context,
  )
}

/**
 * Relative to the home, which is the working folder of every Java here: properties files are read as Latin-1 and take
 * backslashes for escapes, a comma in `log.dirs` and a colon in a class path part two of them, and a home may have them all.
 */
const data = 'data/kafka'
const settingsFile = 'run/kafka.properties'
const jarsLink = 'run/kafka-jars'
const classPath = ['-cp', `${jarsLink}/*`]

function linkJars(home: Home): void {
  const link = join(home.root, jarsLink)
  rmSync(link, { force: true })
  symlinkSync(jars, link)
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
async function format(java: string, { root }: Home, ports: InfraPorts, signal: AbortSignal) {
  const draft = `${data}.partial`
  const draftSettings = `${settingsFile}.format`
  rmSync(join(root, draft), { recursive: true, force: true })
  mkdirSync(join(root, draft), { recursive: true })
  writeFileSync(join(root, draftSettings), properties(draft, ports))
  const clusterId = randomBytes(16).toString('base64url')
  // A JVM that lives for a second is quicker without its optimising compiler.
  const quick = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto']
  const tool = [...classPath, 'kafka.tools.StorageTool', 'format', `--cluster-id=${clusterId}`]
  const options = { cwd: root, env: javaEnvironment(process.env), signal }
  await runCommand(java, [...quick, ...tool, '--config', draftSettings], options)
  rmSync(join(root, draftSettings))
  renameSync(join(root, draft), join(root, data))
}
