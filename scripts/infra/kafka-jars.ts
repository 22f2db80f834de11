import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { toolsFolder } from '../home.ts'
import { seconds } from '../report.ts'
import type { PartContext } from './infra-part.ts'
import { javaEnvironment, runCommand } from './run-command.ts'

const pom = join(import.meta.dirname, 'kafka/pom.xml')

export const kafkaVersion = /<kafka\.version>(.+)<\/kafka\.version>/.exec(readFileSync(pom, 'utf8'))?.[1] ?? ''

/** The jars of exactly this pom: a change of it makes another folder, and an interrupted download none at all. */
const folder = join(
  toolsFolder,
  'kafka',
  `${kafkaVersion}-${createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 8)}`,
)

export const jars = join(folder, 'libs')

export function haveKafkaJars(): boolean {
  return existsSync(jars)
}

export async function fetchKafkaJars(maven: string, { report, signal }: PartContext): Promise<void> {
  if (haveKafkaJars()) return
  const startedAt = Date.now()
  report('kafka', `fetching ${kafkaVersion} with Maven (the first time only)`)
  const draft = `${folder}.${randomBytes(4).toString('hex')}`
  mkdirSync(draft, { recursive: true })
  try {
    const options = [`-DoutputDirectory=${draft}/libs`, '-DincludeScope=runtime']
    const goal = ['--quiet', '--batch-mode', '--file', pom, 'dependency:copy-dependencies']
    await runCommand(maven, [...goal, ...options], { env: javaEnvironment(process.env), signal })
    // Two at once: the one that comes second finds the folder there, and it holds the same.
    if (!haveKafkaJars()) renameSync(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  report('kafka', `fetched (${seconds(startedAt)})`)
}
