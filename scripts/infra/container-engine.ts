import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import type { ContainerRuntimeClient } from 'testcontainers'
import { CliError, type Report } from '../report.ts'
import { images } from './container-images.ts'
import { loopback } from './ports.ts'

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
  if (!client) return declined(`no container engine answers${at(findEngineSocket(env))}`)
  try {
    await pullMissing(client, report)
    return true
  } catch (error) {
    return declined(`images cannot be had (${error instanceof Error ? error.message.split('\n')[0] : error})`)
  }
}

async function pullMissing(client: ContainerRuntimeClient, report: Report): Promise<void> {
  const { ImageName } = await import('testcontainers')
  for (const { image } of Object.values(images)) {
    const name = ImageName.fromString(image)
    if (await client.image.exists(name)) continue
    report('containers', `pulling ${image} (the first time only)`)
    await client.image.pull(name)
    // Why a pull failed may stand within an answer that began well, which testcontainers does not read.
    if (!(await client.image.exists(name)))
      throw new Error(`the engine could not pull ${image}: docker pull ${image} says why`)
  }
}

const at = (place: string | undefined) => (place === undefined ? '' : ` at ${place}`)

/** Without asking it: a socket may be there and nobody behind it. */
export function engineMayBeThere(env: NodeJS.ProcessEnv): boolean {
  return findEngineSocket(env) !== undefined
}

/** testcontainers looks into DOCKER_HOST, its own settings and Docker's usual places; we add the places of others. */
export async function connectEngine(env: NodeJS.ProcessEnv): Promise<ContainerRuntimeClient> {
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

/**
 * Where published ports are found. That is this machine, unless the engine is reached over the network, or we are in a
 * container ourselves and it starts ours beside it: then they are on the gateway between the two.
 */
export async function engineHost(env: NodeJS.ProcessEnv): Promise<string> {
  const { host } = (await connectEngine(env)).info.containerRuntime
  return host === 'localhost' ? loopback : host
}

/** 304: stopped already, 404: gone, 409: going. All of them are what was wanted. */
export function ignoreGone(error: unknown): void {
  const status = (error as { statusCode?: number }).statusCode
  if (status === undefined || ![304, 404, 409].includes(status)) throw error
}
