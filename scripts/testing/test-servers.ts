import { randomBytes } from 'node:crypto'
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { createHome, type Home, homeAt, toolsFolder } from '../home.ts'
import { type Infra, startInfra } from '../infra/infra.ts'
import type { PartKind } from '../infra/infra-part.ts'
import { CliError, type Report } from '../report.ts'
import { endLeftovers } from '../supervisor/leftovers.ts'
import { acquireStackLock } from '../supervisor/stack-lock.ts'
import { createState } from '../supervisor/stack-state.ts'
import { wipeHome } from '../supervisor/wipe.ts'

const runsFolder = join(toolsFolder, 'test-runs')

export interface TestServers extends AsyncDisposable {
  readonly home: Home
  /** For who may stop and kill them: servers of one test's own. */
  readonly infra: Infra
  /** What the tests find the servers by. */
  readonly env: NodeJS.ProcessEnv
}

export interface TestServersOptions {
  readonly kind: PartKind
  readonly env: NodeJS.ProcessEnv
  readonly report: Report
  readonly signal: AbortSignal
  /** Only for servers that are killed on the way: without it Postgres forgets the last transactions then. */
  readonly fsync?: boolean
}

/** Real servers for one run of tests, on ports that nobody else uses, with data that goes when the run ends. */
export async function startTestServers(options: TestServersOptions): Promise<TestServers> {
  const { kind, env, report, signal, fsync = false } = options
  await endAbandonedRuns(env, report)
  const home = homeAt(join(runsFolder, randomBytes(4).toString('hex')))
  createHome(home)
  await using undo = new AsyncDisposableStack()
  const lock = acquireStackLock(home)
  if (lock) undo.use(lock)
  undo.defer(() => remove(home, env, report))
  const state = createState(home, 0)
  const infra = await startInfra({
    home,
    env,
    report,
    signal,
    kind,
    fsync,
    usualPorts: false,
    observe: state.record,
    onChosen: kinds => state.update({ infra: kinds }),
  })
  undo.defer(() => infra.stop())
  if (infra.mail.webUrl === null) {
    throw new CliError(
      'SMTP_URL is given: give MAIL_WEB_URL too, the page of that mail catcher, where tests read mails',
    )
  }
  const running = undo.move()
  return {
    home,
    infra,
    env: {
      ...env,
      TOCSIN_TEST_INFRA: kind,
      TOCSIN_TEST_DATABASE_URL: infra.databaseUrl,
      TOCSIN_TEST_KAFKA_BROKERS: infra.kafkaBrokers,
      TOCSIN_TEST_REDIS_URL: infra.redisUrl,
      TOCSIN_TEST_SMTP_URL: infra.mail.smtpUrl,
      TOCSIN_TEST_MAIL_WEB_URL: infra.mail.webUrl,
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** A run that was killed left its servers and data; that its lock is free says that nobody uses them. */
export async function endAbandonedRuns(env: NodeJS.ProcessEnv, report: Report): Promise<void> {
  for (const name of listFolder(runsFolder)) {
    const home = homeAt(join(runsFolder, name))
    createHome(home)
    using lock = acquireStackLock(home)
    if (!lock) continue
    await endLeftovers(home, env, report)
    await remove(home, env, report)
  }
}

async function remove(home: Home, env: NodeJS.ProcessEnv, report: Report): Promise<void> {
  await wipeHome(home, env, report)
  rmSync(home.root, { recursive: true, force: true })
}

function listFolder(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
