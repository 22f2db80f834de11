import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { toolsFolder } from '../home.ts'
import { runCommand } from '../infra/run-command.ts'
import { javaVersion } from '../infra/system-packages.ts'
import { CliError } from '../report.ts'

const oldestJava = 17

/** A benchmark installs no programs: what it misses it names. */
export function findJava(env: NodeJS.ProcessEnv): string {
  for (const command of [...(env.JAVA_HOME ? [`${env.JAVA_HOME}/bin/java`] : []), 'java']) {
    const { stdout, stderr } = spawnSync(command, ['-version'], { encoding: 'utf8' })
    if (javaVersion(`${stdout ?? ''}${stderr ?? ''}`) >= oldestJava) return command
  }
  throw new CliError(`no Java ${oldestJava} or newer on this machine`)
}

/**
 * The folder with the jars of exactly this pom, fetched the first time: a change of the pom makes another folder, and an
 * interrupted download none at all.
 */
export async function jarsOf(pom: string, name: string): Promise<string> {
  const folder = join(toolsFolder, name, createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 8))
  if (existsSync(folder)) return folder
  if (spawnSync('mvn', ['--version']).status !== 0) throw new CliError('no Maven on this machine to fetch it with')
  const draft = `${folder}.${randomBytes(4).toString('hex')}`
  mkdirSync(draft, { recursive: true })
  try {
    const goal = ['--quiet', '--batch-mode', '--file', pom, 'dependency:copy-dependencies']
    await runCommand('mvn', [...goal, `-DoutputDirectory=${draft}`, '-DincludeScope=runtime'])
    // Two at once: the one that comes second finds the folder there, and it holds the same.
    if (!existsSync(folder)) renameSync(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
  return folder
}
