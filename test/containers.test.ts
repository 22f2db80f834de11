import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createHome, type Home, homeAt } from '../scripts/home.ts'
import { engineHost } from '../scripts/infra/container-engine.ts'
import { images } from '../scripts/infra/container-images.ts'
import { containerPart, findContainers, removeContainers, removeVolumes } from '../scripts/infra/containers.ts'
import type { InfraPart } from '../scripts/infra/infra-part.ts'
import { choosePorts } from '../scripts/infra/ports.ts'
import { canConnect } from '../scripts/infra/probes.ts'

// What goes wrong with a container. That all goes well is what every other test on containers shows.
describe.runIf(process.env.TOCSIN_TEST_INFRA === 'containers')('a server in a container', () => {
  const { env } = process
  let home: Home
  let host: string
  let port: number

  beforeEach(async () => {
    home = homeAt(mkdtempSync(join(tmpdir(), 'tocsin-containers-')))
    createHome(home)
    host = await engineHost(env)
    using chosen = await choosePorts({ redis: {} })
    port = chosen.ports.redis
  })
  afterEach(async () => {
    vi.restoreAllMocks()
    await removeContainers(home, env)
    await removeVolumes(home, env)
    rmSync(home.root, { recursive: true, force: true })
  })

  function redis(signal = new AbortController().signal): InfraPart {
    const context = { home, env, signal, report: () => {}, observe: () => {}, fsync: false }
    const ports = { postgres: 0, kafka: 0, kafka_controller: 0, redis: port, smtp: 0, mail_web: 0 }
    return containerPart('redis', context, ports, host)
  }

  it('that dies at its start is an error at once, with what it said last', async () => {
    vi.spyOn(images.redis, 'command').mockReturnValue(['redis-server', '--no-such-setting', 'yes'])
    const part = redis()
    await expect(part.start()).rejects.toThrow(/redis did not start: its container ended.*no-such-setting/s)
    await part.stop()
    expect(await findContainers(home, env)).toEqual([])
  }, 20_000)

  it('is stopped within seconds when an interrupt comes before it answers', async () => {
    const interrupted = new AbortController()
    const part = redis(interrupted.signal)
    const started = part.start()
    interrupted.abort(new Error('interrupted'))
    await expect(started).rejects.toThrow('interrupted')
    await part.stop()
    expect(await findContainers(home, env)).toEqual([])
  }, 12_000)

  it('whose port is taken is an error that leaves no container', async () => {
    const other = createServer().listen(port)
    onTestFinished(() => void other.close())
    const part = redis()
    await expect(part.start()).rejects.toThrow('redis did not start: ')
    await part.stop()
    expect(await findContainers(home, env)).toEqual([])
  })

  it('takes the place of one that a killed stack has left', async () => {
    await redis().start()
    const part = redis()
    await part.start()
    expect(await findContainers(home, env)).toHaveLength(1)
    await part.stop()
    expect(await canConnect({ host, port })).toBe(false)
  })

  it('is back on its port after a kill and a start', async () => {
    const part = redis()
    await part.start()
    await part.kill()
    await part.start()
    expect(await images.redis.answers({ host, port })).toBe(true)
    await part.stop()
  })
})
