import { CliError } from '../report.ts'
import { engineHost, engineWithImages } from './container-engine.ts'
import { containerPart } from './containers.ts'
import { givenPart, givenParts, variableOf } from './given.ts'
import { type InfraPart, type PartContext, type PartKind, type PartName, partNames } from './infra-part.ts'
import { chooseInfraPorts, type InfraPorts } from './infra-ports.ts'
import { embeddedKafka } from './kafka.ts'
import { haveKafkaJars } from './kafka-jars.ts'
import { embeddedMail } from './mail.ts'
import { loopback } from './ports.ts'
import { embeddedPostgres } from './postgres.ts'
import { embeddedRedis } from './redis.ts'
import { locatePrograms, type Program } from './system-packages.ts'

export type PartKinds = Readonly<Record<PartName, PartKind>>

export interface InfraOptions extends PartContext {
  /** Undefined: the first that applies of given, containers, embedded, for each part. */
  readonly kind: PartKind | undefined
  /** Told before anything is started. */
  readonly onChosen: (kinds: PartKinds) => void
  /** Whether the ports that everybody knows are tried first. Tests leave them to others. */
  readonly usualPorts: boolean
}

export interface Infra {
  readonly databaseUrl: string
  readonly kafkaBrokers: string
  readonly redisUrl: string
  /** `webUrl` is null when the mail server is given: it may have no page. */
  readonly mail: { readonly smtpUrl: string; readonly webUrl: string | null }
  readonly parts: readonly InfraPart[]
  stop(): Promise<void>
}

/** Brings up the four servers at once and returns when all answer; when one cannot, the others are stopped again. */
export async function startInfra(options: InfraOptions): Promise<Infra> {
  const kinds = await chooseKinds(options)
  options.onChosen(kinds)
  const ours = partNames.filter(name => kinds[name] !== 'given')
  const { ports, [Symbol.dispose]: giveUpPorts } = await chooseInfraPorts(options.home, ours, {
    tryUsual: options.usualPorts,
  })
  const failed = new AbortController()
  const signal = AbortSignal.any([options.signal, failed.signal])
  const parts = await createParts(kinds, { ...options, signal }, ports)
  const stop = async () => {
    // Each gets its stop, and its end is waited for, also when an engine that is gone makes another's fail.
    const stops = await Promise.allSettled(parts.map(part => part.stop()))
    giveUpPorts()
    for (const outcome of stops) if (outcome.status === 'rejected') throw outcome.reason
  }
  try {
    await untilAllAnswer(parts.filter(part => part.kind === 'given'))
    await startTogether(
      parts.filter(part => part.kind !== 'given'),
      failed,
    )
  } catch (error) {
    await stop().catch(later => options.report('servers', later.message)) // what made the start fail is the error
    options.signal.throwIfAborted()
    throw error
  }
  const settings: Record<string, string> = Object.assign({}, ...parts.map(part => part.settings))
  return {
    databaseUrl: settings.DATABASE_URL ?? '',
    kafkaBrokers: settings.KAFKA_BROKERS ?? '',
    redisUrl: settings.REDIS_URL ?? '',
    mail: { smtpUrl: settings.SMTP_URL ?? '', webUrl: settings.MAIL_WEB_URL ?? null },
    parts,
    stop,
  }
}

/** Before anything of ours is started: whoever gave wrong addresses wants to hear of all of them, and soon. */
async function untilAllAnswer(given: readonly InfraPart[]): Promise<void> {
  const starts = await Promise.allSettled(given.map(part => part.start()))
  const reasons = starts.flatMap(start => (start.status === 'rejected' ? [start.reason] : []))
  if (reasons.length > 0) throw new CliError(reasons.map(reason => reason.message).join('\n'))
}

/** When one cannot start, the others give up with its error. */
async function startTogether(parts: readonly InfraPart[], failed: AbortController): Promise<void> {
  const startOrStopAll = (part: InfraPart) => part.start().catch(error => failed.abort(error))
  await Promise.all(parts.map(startOrStopAll))
  failed.signal.throwIfAborted()
}

async function chooseKinds({ kind, env, report }: InfraOptions): Promise<PartKinds> {
  const given = givenParts(kind, env)
  const missing = partNames.filter(part => part !== 'mail' && !given.includes(part))
  if (kind === 'given' && missing.length > 0) {
    throw new CliError(`--infra given needs ${missing.map(variableOf).join(', ')} in the environment`, 2)
  }
  const wantsEngine = missing.length > 0 && kind !== 'embedded'
  const engine = wantsEngine && (await engineWithImages({ required: kind === 'containers', env, report }))
  const other: PartKind = engine ? 'containers' : 'embedded'
  // The mail catcher is an npm package: in a container it would be the same program, only harder to have.
  const kindOf = (part: PartName) => (given.includes(part) ? 'given' : part === 'mail' ? 'embedded' : other)
  return Object.fromEntries(partNames.map(part => [part, kindOf(part)])) as PartKinds
}

async function createParts(kinds: PartKinds, options: InfraOptions, ports: InfraPorts): Promise<InfraPart[]> {
  const programs = locatePrograms(neededPrograms(kinds), options.env, options.report)
  const host = Object.values(kinds).includes('containers') ? await engineHost(options.env) : loopback
  const makers: Record<PartKind, (name: PartName) => InfraPart> = {
    given: name => givenPart(name, options),
    containers: name => containerPart(name, options, ports, host),
    embedded: name => embedded[name](options, ports, programs),
  }
  return partNames.map(name => makers[kinds[name]](name))
}

const embedded = { postgres: embeddedPostgres, kafka: embeddedKafka, redis: embeddedRedis, mail: embeddedMail }

function neededPrograms(kinds: PartKinds): Program[] {
  const forKafka: Program[] = haveKafkaJars() ? ['java'] : ['java', 'maven']
  return [...(kinds.kafka === 'embedded' ? forKafka : []), ...(kinds.redis === 'embedded' ? (['redis'] as const) : [])]
}
