import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cloneFolder, toolsFolder } from '../home.ts'

/** The projects of vitest.config.ts, quickest first. */
export const suites = ['unit', 'service', 'system'] as const
/** Of the system tests those that run for minutes when they are asked for, and in a short form otherwise. */
export const faultTests = 'test/faults/'
export type Suite = (typeof suites)[number]

export interface Outcome {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
}

export interface VitestOptions {
  readonly suites: readonly Suite[]
  /** Parts of file names; all files when empty. */
  readonly filters: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly signal: AbortSignal
}

/** vitest's own report of a run, as far as it is counted here. */
interface JsonReport {
  readonly success: boolean
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTodoTests: number
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly { status: string }[] }[]
}

/** Runs the suites in a process of their own, with their output on our terminal. */
export async function runVitest({ suites, filters, env, signal }: VitestOptions): Promise<Outcome> {
  const reportFile = join(toolsFolder, `vitest-${process.pid}.json`)
  mkdirSync(toolsFolder, { recursive: true })
  rmSync(reportFile, { force: true })
  const args = [
    join(cloneFolder, 'node_modules/vitest/vitest.mjs'),
    'run',
    ...suites.flatMap(suite => ['--project', suite]),
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportFile}`,
    // A forgotten `.only` would pass by running almost nothing.
    '--allowOnly=false',
    ...filters,
  ]
  const vitest = spawn(process.execPath, args, { cwd: cloneFolder, env, stdio: 'inherit' })
  const stop = () => vitest.kill('SIGTERM')
  signal.addEventListener('abort', stop)
  const [exitCode] = await once(vitest, 'exit')
  signal.removeEventListener('abort', stop)
  try {
    return countOutcome(JSON.parse(readFileSync(reportFile, 'utf8')), exitCode === 0)
  } catch {
    return { passed: 0, failed: 1, skipped: 0 } // it ended before it had anything to report
  } finally {
    rmSync(reportFile, { force: true })
  }
}

/** A file that cannot be loaded, or an error outside of any test, has no test to its name and still is a failure. */
export function countOutcome(report: JsonReport, exitedWell: boolean): Outcome {
  const brokenFiles = report.testResults.filter(
    file => file.status === 'failed' && !file.assertionResults.some(test => test.status === 'failed'),
  ).length
  const counted = report.numFailedTests + brokenFiles
  return {
    passed: report.numPassedTests,
    failed: counted === 0 && !(report.success && exitedWell) ? 1 : counted,
    skipped: report.numPendingTests + report.numTodoTests,
  }
}

export function add(a: Outcome, b: Outcome): Outcome {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped }
}

/** Where the tests of a suite lie; the same patterns as in vitest.config.ts. */
const patterns: Readonly<Record<Suite, readonly string[]>> = {
  unit: ['{packages,services}/*/src/**/*.test.ts', 'scripts/**/*.test.ts'],
  service: ['{packages,services}/*/test/**/*.test.ts'],
  system: ['test/**/*.test.ts'],
}

/** A suite whose files are gone must not pass by running nothing. */
export function hasTests(suite: Suite): boolean {
  return patterns[suite].some(pattern => globSync(pattern, { cwd: cloneFolder }).length > 0)
}
