import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { engineHost, engineWithImages } from './container-engine.ts'

/** An engine that has no image, and whose pulls begin well and then fail, as they do without a network. */
const engine = createServer((request, response) => {
  const path = request.url ?? ''
  if (path.includes('/images/create')) response.end('{"status":"Pulling"}\n{"error":"no such host"}\n')
  else if (path.includes('/info')) response.end('{"OperatingSystem":"none","ServerVersion":"1","Labels":[]}')
  else response.writeHead(404).end('{"message":"no such thing"}')
})

const env = process.env

beforeAll(async () => {
  await once(engine.listen(0, '127.0.0.1'), 'listening')
  vi.stubEnv('DOCKER_HOST', `tcp://localhost:${(engine.address() as AddressInfo).port}`)
})
afterAll(() => {
  vi.unstubAllEnvs()
  engine.closeAllConnections()
  engine.close()
})

it('an image that cannot be pulled is the reason to go on without containers', async () => {
  const said: string[] = []
  const report = (_: string, text: string) => said.push(text)
  expect(await engineWithImages({ required: false, env, report })).toBe(false)
  expect(said.at(-1)).toMatch(/^images cannot be had \(.*postgres.*\): going on with embedded servers$/)
})

it('an image that cannot be pulled is an error for who asked for containers', async () => {
  const engineForSure = engineWithImages({ required: true, env, report: () => {} })
  await expect(engineForSure).rejects.toThrow('the engine could not pull postgres')
})

it('an engine on this machine is found at an address, so that no server is looked for at ::1', async () => {
  expect(await engineHost(env)).toBe('127.0.0.1')
})
