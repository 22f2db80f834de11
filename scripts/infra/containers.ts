import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import type { ContainerRuntimeClient } from 'testcontainers'
import type { Home } from '../home.ts'
import { CliError, type Report, seconds } from '../report.ts'
import { type ContainedPart, images } from './container-images.ts'
import type { InfraPart, PartContext, PartName } from './infra-part.ts'
import type { InfraPorts } from './infra-ports.ts'
import { type Address, becomesTrue } from './probes.ts'

const readyWithinMs = 90_000

/** Everything of one stack carries it, so that leftovers of a crash are found without having kept their ids. */
const homeLabel = 'tocsin.home'

export interface EngineOptions {
  /** The caller asked for containers: that there is no engine is an error then, and not a reason for plan B. */
  readonly required: boolean
  readonly env: NodeJS.ProcessEnv
  readonly report: Report
}

/** Is there an engine, and has it got what we need, or can it fetch it? False after saying why not. */
export async function engineWithImages({ required, env, report }: EngineOptions): Promise<boolean> {
  const declined = (reason: string) => {
    if (required) throw new CliError(reason)
    report('containers', `${reason}: going on with embedded servers`)
    return false
  }
  if (!required && !engineMayBeThere(env)) return false
  const client = await connectEngine(env).catch(() => undefined)
  if (!client) return declined('no container engine answers')
  try {
    await pullMissing(client, report)
    return true
  } catch (error) {
    return declined(`images cannot be had (${error instanceof Error ? error.message.split('\n')[0] : error})`)
  }
}

/** A server in a container. Its data is in a named volume: ownership in it is the image's business, on every system. */
export function containerPart(name: PartName, context: PartContext, ports: InfraPorts): InfraPart {
  if (name === 'mail') throw new Error('the mail catcher runs as a process')
  const { home, env, report } = context
  const image = images[name]
  let id: string | undefined
  const engine = () => connectEngine(env)
  const address: Address = { host: engineHost(env), port: ports[name] }
  const container = async () => (id === undefined ? undefined : (await engine()).container.getById(id))
  return {
    name,
    kind: 'containers',
    settings: image.settings(address),
    async start() {
      const startedAt = Date.now()
      if (id === undefined) id = await createContainer(name, context, address)
      else await (await container())?.start()
      if (!(await becomesTrue(() => image.answers(address), { withinMs: readyWithinMs }))) {
        throw new CliError(`${name} did not start: see docker logs ${containerName(home, name)}`)
      }
      report(name, `${image.image} on port ${address.port} (${seconds(startedAt)})`)
    },
    async stop() {
      const running = await container()
      if (!running) return
      id = undefined
      await running.stop({ t: 20 }).catch(ignoreGone)
      await running.remove({ force: true }).catch(ignoreGone)
    },
    kill: async () => (await container())?.kill().catch(ignoreGone),
  }
}

/** Ends what a supervisor that was killed has left; with `volumes`, its data too. */
export async function removeContainers(home: Home, env: NodeJS.ProcessEnv, { volumes }: { volumes: boolean }) {
  const { dockerode } = (await connectEngine(env)).container
  const filters = { label: [`${homeLabel}=${homeHash(home)}`] }
  for (const { Id } of await dockerode.listContainers({ all: true, filters })) {
    await dockerode.getContainer(Id).remove({ force: true }).catch(ignoreGone)
  }
  if (!volumes) return
  for (const name of Object.keys(images) as ContainedPart[]) {
    await dockerode.getVolume(containerName(home, name)).remove().catch(ignoreGone)
  }
}

async function createContainer(name: ContainedPart, { home, fsync }: PartContext, address: Address): Promise<string> {
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
        // The stack outlives any test session: testcontainers' reaper must not count it as one's garbage.
        .withAutoCleanup(false)
      const args = command(fsync)
      if (args.length > 0) this.withCommand(args)
      // A server that dies is started again by the engine; one that was stopped or killed on purpose is not.
      this.hostConfig.RestartPolicy = { Name: 'on-failure' }
      // Known passwords and none at all: nothing for other machines to reach.
      const hostIp = isLocal(address.host) ? '127.0.0.1' : '0.0.0.0'
      this.hostConfig.PortBindings = { [`${port}/tcp`]: [{ HostIp: hostIp, HostPort: String(address.port) }] }
    }
  }
  return (await new Server().start()).getId()
}

async function pullMissing(client: ContainerRuntimeClient, report: Report): Promise<void> {
  const { ImageName } = await import('testcontainers')
  for (const { image } of Object.values(images)) {
    const name = ImageName.fromString(image)
    if (await client.image.exists(name)) continue
    report('containers', `pulling ${image} (the first time only)`)
    await client.image.pull(name)
  }
}

/** Without asking it: a socket may be there and nobody behind it. */
export function engineMayBeThere(env: NodeJS.ProcessEnv): boolean {
  return findEngineSocket(env) !== undefined
}

/** testcontainers looks into DOCKER_HOST, its own settings and Docker's usual places; we add the places of others. */
async function connectEngine(env: NodeJS.ProcessEnv): Promise<ContainerRuntimeClient> {
  const socket = findEngineSocket(env)
  if (socket?.startsWith('/')) process.env.DOCKER_HOST ??= `unix://${socket}`
  const { getContainerRuntimeClient } = await import('testcontainers')
  return getContainerRuntimeClient()
}

function findEngineSocket(env: NodeJS.ProcessEnv): string | undefined {
  if (env.DOCKER_HOST) return env.DOCKER_HOST
  const runtime = env.XDG_RUNTIME_DIR ?? `/run/user/${process.getuid?.() ?? 0}`
  const home = homedir()
  return [
    '/var/run/docker.sock',
    `${runtime}/docker.sock`,
    `${home}/.docker/run/docker.sock`,
    `${home}/.docker/desktop/docker.sock`,
    `${home}/.orbstack/run/docker.sock`,
    `${home}/.colima/default/docker.sock`,
    `${runtime}/podman/podman.sock`,
    '/run/podman/podman.sock',
  ].find(path => existsSync(path))
}

/** Where published ports are found: this machine, unless the engine is reached over the network. */
export function engineHost(env: NodeJS.ProcessEnv): string {
  return env.DOCKER_HOST?.startsWith('tcp://') ? new URL(env.DOCKER_HOST).hostname : '127.0.0.1'
}

function isLocal(host: string): boolean {
  return host === '127.0.0.1' || host === 'localhost'
}

function homeHash(home: Home): string {
  return createHash('sha256').update(home.root).digest('hex').slice(0, 12)
}

/** Of the container and of the volume with its data. */
function containerName(home: Home, part: ContainedPart): string {
  return `tocsin-${homeHash(home)}-${part}`
}

/** 304: stopped already, 404: gone, 409: going. All of them are what was wanted. */
function ignoreGone(error: unknown): void {
  const status = (error as { statusCode?: number }).statusCode
  if (status === undefined || ![304, 404, 409].includes(status)) throw error
}
