import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ContainerRuntimeClient, WaitStrategy } from 'testcontainers'
import { type Home, logFileOf } from '../home.ts'
import { CliError, seconds } from '../report.ts'
import { connectEngine, ignoreGone } from './container-engine.ts'
import { type ContainedPart, images } from './container-images.ts'
import { type InfraPart, lastLines, type PartContext, type PartName } from './infra-part.ts'
import type { InfraPorts } from './infra-ports.ts'
import { loopback } from './ports.ts'
import { type Address, becomesTrue } from './probes.ts'

type Container = ReturnType<ContainerRuntimeClient['container']['getById']>

const readyWithinMs = 90_000

/** Everything of one stack carries it, so that leftovers of a crash are found without having kept their ids. */
const homeLabel = 'tocsin.home'

/** A server in a container. Its data is in a named volume: ownership in it is the image's business, on every system. */
export function containerPart(name: PartName, context: PartContext, ports: InfraPorts, host: string): InfraPart {
  if (name === 'mail') throw new Error('the mail catcher runs as a process')
  const { home, env, report, signal } = context
  const image = images[name]
  const address: Address = { host, port: ports[name] }
  const container = async () => (await connectEngine(env)).container.getById(containerName(home, name))
  let created = false
  let answered = false
  let logEnd = Promise.resolve()
  const untilAnswers = (wait: Pick<Wait, 'withinMs' | 'signal'>) =>
    waitUntilAnswers(name, context, address, { ...wait, logEnd })
  return {
    name,
    kind: 'containers',
    settings: image.settings(address),
    async start() {
      const startedAt = Date.now()
      if (created) await (await container()).start()
      else {
        // A stack that was killed while the engine was away has left it; its name is wanted.
        await (await container()).remove({ force: true }).catch(ignoreGone)
        created = true
        await createContainer(name, context, address, log => {
          logEnd = keepLog(log, logFileOf(home, name))
        })
      }
      await untilAnswers({ withinMs: readyWithinMs, signal })
      answered = true
      report(name, `${image.image} on port ${address.port} (${seconds(startedAt)})`)
    },
    async stop() {
      if (!created) return
      created = false
      // Asked too early it would not hear it: process 1 ignores signals that it has no handler for yet. And to be killed
      // in the middle of its first start leaves a Postgres without its database.
      if (!answered) await untilAnswers({ withinMs: 10_000 }).catch(() => {})
      await stopAndRemove(await container()).catch(error => {
        throw new CliError(
          `${name}: its container is left until an up or a down --wipe that finds the engine (${error.message})`,
        )
      })
    },
    kill: async () => (created ? (await container()).kill().catch(ignoreGone) : undefined),
  }
}

interface Wait {
  readonly withinMs: number
  readonly signal?: AbortSignal
  readonly logEnd: Promise<void>
}

async function waitUntilAnswers(
  name: ContainedPart,
  { home, env }: PartContext,
  address: Address,
  { withinMs, signal, logEnd }: Wait,
): Promise<void> {
  const failBecause = async (reason: string) => {
    const logFile = logFileOf(home, name)
    await Promise.race([logEnd, sleep(1_000)]) // it comes a moment after the end that it explains
    throw new CliError(`${name} did not start: ${reason}\n${lastLines(logFile)}\nIts log: ${logFile}`)
  }
  const { container } = await connectEngine(env)
  const answers = async () => {
    if (await images[name].answers(address)) return true
    const { State, RestartCount } = await container.inspect(container.getById(containerName(home, name)))
    // The engine may have started it again already, to die again.
    if (!State.Running || RestartCount > 0) await failBecause(`its container ended (exit code ${State.ExitCode})`)
    return false
  }
  const ready = await becomesTrue(answers, { withinMs, everyMs: 100, check: () => signal?.throwIfAborted() })
  if (!ready) await failBecause(`no answer at ${address.host}:${address.port} within ${withinMs / 1_000} s`)
}

/** Ends what a supervisor that was killed has left, and says how many containers that were. */
export async function removeContainers(home: Home, env: NodeJS.ProcessEnv): Promise<number> {
  const left = await findContainers(home, env)
  await Promise.all(left.map(stopAndRemove))
  return left.length
}

/** Of a stack, whether they run or not. */
export async function findContainers(home: Home, env: NodeJS.ProcessEnv): Promise<Container[]> {
  const { dockerode } = (await connectEngine(env)).container
  const filters = { label: [`${homeLabel}=${homeHash(home)}`] }
  const found = await dockerode.listContainers({ all: true, filters })
  return found.map(({ Id }) => dockerode.getContainer(Id))
}

/** The names of the volumes with a stack's data. */
export async function findVolumes(home: Home, env: NodeJS.ProcessEnv): Promise<string[]> {
  const { dockerode } = (await connectEngine(env)).container
  const names = (Object.keys(images) as ContainedPart[]).map(part => containerName(home, part))
  const { Volumes } = await dockerode.listVolumes()
  return Volumes.map(volume => volume.Name).filter(name => names.includes(name))
}

/** The data of a stack whose containers are gone. */
export async function removeVolumes(home: Home, env: NodeJS.ProcessEnv): Promise<void> {
  const { dockerode } = (await connectEngine(env)).container
  for (const name of await findVolumes(home, env)) await dockerode.getVolume(name).remove().catch(ignoreGone)
}

/** Stopped in order first: a Kafka that was killed waits 9 s at its next start for its old registration to end. */
async function stopAndRemove(container: Container): Promise<void> {
  await container.stop({ t: 20 }).catch(ignoreGone)
  await container.remove({ force: true }).catch(ignoreGone)
}

/** We ask the server itself when it is ready; testcontainers would only look at its port, from inside of it too. */
const noWait: WaitStrategy = {
  waitUntilReady: async () => {},
  withStartupTimeout: () => noWait,
  isStartupTimeoutSet: () => false,
  getStartupTimeout: () => 0,
}

async function createContainer(
  name: ContainedPart,
  { home, fsync }: PartContext,
  address: Address,
  onLog: (log: Readable) => void,
): Promise<void> {
  const { GenericContainer } = await import('testcontainers')
  const { image, port, dataFolder, command, environment } = images[name]

  class Server extends GenericContainer {
    constructor() {
      super(image)
      this.withName(containerName(home, name))
        .withLabels({ [homeLabel]: homeHash(home) })
        .withEnvironment(environment(address))
        .withExposedPorts({ container: port, host: address.port })
        .withBindMounts([{ source: containerName(home, name), target: dataFolder }])
        .withWaitStrategy(noWait)
        .withLogConsumer(onLog)
        // The stack outlives any test session: testcontainers' reaper must not count it as one's garbage.
        .withAutoCleanup(false)
      const args = command(fsync)
      if (args.length > 0) this.withCommand(args)
      // A server that dies is started again by the engine; one that was stopped or killed on purpose is not.
      this.hostConfig.RestartPolicy = { Name: 'on-failure' }
      // Known passwords and none at all: where loopback is enough, nothing for other machines to reach.
      if (address.host === loopback) {
        this.hostConfig.PortBindings = { [`${port}/tcp`]: [{ HostIp: loopback, HostPort: String(address.port) }] }
      }
    }
  }
  try {
    await new Server().start()
  } catch (error) {
    throw new CliError(`${name} did not start: ${error instanceof Error ? error.message : error}`, 1, { cause: error })
  }
}

/** Where `logs` and error messages look. It ends with the container, or breaks with the engine: then that is all there is. */
function keepLog(log: Readable, file: string): Promise<void> {
  return pipeline(log, createWriteStream(file, { flags: 'a' })).catch(() => {})
}

function homeHash(home: Home): string {
  return createHash('sha256').update(home.root).digest('hex').slice(0, 12)
}

/** Of the container and of the volume with its data. */
function containerName(home: Home, part: ContainedPart): string {
  return `tocsin-${homeHash(home)}-${part}`
}
