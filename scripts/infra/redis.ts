import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { logFileOf } from '../home.ts'
import { type InfraPart, type PartContext, processPart } from './infra-part.ts'
import type { InfraPorts } from './infra-ports.ts'
import { loopback } from './ports.ts'
import { redisAnswers } from './probes.ts'
import type { Programs } from './system-packages.ts'

export function embeddedRedis(context: PartContext, { redis: port }: InfraPorts, programs: Programs): InfraPart {
  const folder = join(context.home.data, 'redis')
  return processPart(
    {
      name: 'redis',
      title: `embedded on port ${port}`,
      port,
      settings: { REDIS_URL: `redis://${loopback}:${port}` },
      async prepare() {
        mkdirSync(folder, { recursive: true })
        // Everything in it can be rebuilt, so there is no append-only file; with a save point set, a stop still writes
        // a file, and the next start need not wait for sweepers to find queued work in Postgres.
        const settings = { port, bind: loopback, dir: folder, save: '900 1', appendonly: 'no' }
        return {
          name: 'redis',
          command: await programs.redis,
          args: Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]),
          env: context.env,
          logFile: logFileOf(context.home, 'redis'),
          stopSteps: [{ signal: 'SIGTERM', graceMs: 10_000 }],
        }
      },
      answers: () => redisAnswers({ host: loopback, port }),
    },
    context,
  )
}
