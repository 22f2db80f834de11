import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { CliError, type Report } from '../report.ts'
import { runCommand } from './run-command.ts'

export type Program = 'java' | 'maven' | 'redis'

/** The command of each program, when it is found or installed. */
export type Programs = Readonly<Record<Program, Promise<string>>>

interface Source {
  readonly label: string
  readonly candidates: (env: NodeJS.ProcessEnv) => readonly string[]
  readonly works: (command: string) => boolean
  /** The first that the package index knows is installed: releases differ in the Java that they carry. */
  readonly apt: readonly [string, ...string[]]
  readonly brew: string
}

const oldestJava = 17

const sources: Readonly<Record<Program, Source>> = {
  java: {
    label: `Java ${oldestJava} or newer`,
    // Homebrew does not link its Java; /usr/bin/java of macOS only asks to install one.
    candidates: env => [
      ...(env.JAVA_HOME ? [`${env.JAVA_HOME}/bin/java`] : []),
      'java',
      '/opt/homebrew/opt/openjdk/bin/java',
      '/usr/local/opt/openjdk/bin/java',
    ],
    works: command => javaVersion(outputOf(command, '-version')) >= oldestJava,
    apt: ['openjdk-21-jre-headless', 'openjdk-17-jre-headless', 'default-jre-headless'],
    brew: 'openjdk',
  },
  maven: {
    label: 'Maven',
    candidates: () => ['mvn'],
    works: command => outputOf(command, '--version').includes('Maven'),
    apt: ['maven'],
    brew: 'maven',
  },
  redis: {
    label: 'redis-server',
    candidates: () => ['redis-server', 'valkey-server'],
    works: command => outputOf(command, '--version').includes('v='),
    apt: ['redis-server', 'valkey-server'],
    brew: 'redis',
  },
}

/**
 * Finds what is needed and installs what is missing, in one go, where that is possible; otherwise every promise fails
 * with the command that installs them. What is there already need not wait for the rest.
 */
export function locatePrograms(needed: readonly Program[], env: NodeJS.ProcessEnv, report: Report): Programs {
  const missing = needed.filter(program => find(program, env) === undefined)
  const installed = missing.length > 0 ? install(missing, report) : Promise.resolve()
  const locate = async (program: Program) => {
    if (missing.includes(program)) await installed
    const command = find(program, env)
    if (command === undefined) throw new CliError(howToInstall(missing))
    return command
  }
  const located = needed.map(program => [program, locate(program)] as const)
  // Whoever needs a program awaits it, perhaps later: until then a failure must not count as unhandled.
  for (const [, command] of located) command.catch(() => {})
  return Object.fromEntries(located) as Programs
}

/** `openjdk version "17.0.15" 2025-04-15` → 17; 0 when it is no Java. Java 8 called itself 1.8. */
export function javaVersion(versionOutput: string): number {
  const [, major, minor] = /version "(\d+)(?:\.(\d+))?/.exec(versionOutput) ?? []
  return Number(major === '1' ? minor : (major ?? 0))
}

export function howToInstall(
  missing: readonly Program[],
  platform: NodeJS.Platform = process.platform,
  packageOf = aptPackage,
): string {
  const labels = missing.map(program => sources[program].label).join(', ')
  const command =
    platform === 'darwin'
      ? `brew install ${missing.map(program => sources[program].brew).join(' ')}`
      : `sudo apt-get install ${missing.map(packageOf).join(' ')}`
  return `Missing on this machine: ${labels}. Install with:\n    ${command}`
}

const found = new Map<Program, string>()

function find(program: Program, env: NodeJS.ProcessEnv): string | undefined {
  const { candidates, works } = sources[program]
  const command = found.get(program) ?? candidates(env).find(works)
  if (command !== undefined) found.set(program, command)
  return command
}

function outputOf(command: string, argument: string): string {
  // Away from a working folder whose name a Java in the C locale cannot read: Maven would fail there.
  const { stdout, stderr } = spawnSync(command, [argument], { encoding: 'utf8', cwd: '/' })
  return `${stdout ?? ''}${stderr ?? ''}`
}

async function install(missing: readonly Program[], report: Report): Promise<void> {
  const asRoot = process.getuid?.() === 0
  if (!asRoot || spawnSync('apt-get', ['--version']).status !== 0) throw new CliError(howToInstall(missing))
  report('install', `${missing.map(program => sources[program].label).join(', ')}: installing with apt-get`)
  // An index that cannot be refreshed may still be good enough; the install itself tells.
  await aptGet(['update', '-qq']).catch(() => {})
  const packages = missing.map(aptPackage)
  await withoutStartingDaemons(() => aptGet(['install', '-y', '-qq', '--no-install-recommends', ...packages]))
}

function aptPackage(program: Program): string {
  const { apt } = sources[program]
  return apt.find(isKnownPackage) ?? apt[0]
}

function isKnownPackage(name: string): boolean {
  const { stdout } = spawnSync('apt-cache', ['policy', name], { encoding: 'utf8' })
  return /Candidate: \S+/.test(stdout) && !stdout.includes('Candidate: (none)')
}

async function aptGet(args: readonly string[], attempts = 5): Promise<void> {
  try {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    await runCommand('apt-get', ['-o', 'DPkg::Lock::Timeout=120', ...args], { env })
  } catch (error) {
    // The lock of the package lists, unlike dpkg's, cannot be waited for by an option.
    const locked = error instanceof Error && error.message.includes('Could not get lock')
    if (!locked || attempts === 1) throw error
    await sleep(5_000)
    await aptGet(args, attempts - 1)
  }
}

const policyFile = '/usr/sbin/policy-rc.d'
const policy =
  '#!/bin/sh\n# Made by tocsin while it installs packages: no daemon is started. Safe to delete.\nexit 101\n'

/** Debian starts a server when it is installed; a redis on the usual port, with nobody looking after it, is not wanted. */
async function withoutStartingDaemons(work: () => Promise<void>): Promise<void> {
  if (existsSync(policyFile) && readFileSync(policyFile, 'utf8') !== policy) return work()
  writeFileSync(policyFile, policy, { mode: 0o755 })
  try {
    await work()
  } finally {
    rmSync(policyFile, { force: true })
  }
}
