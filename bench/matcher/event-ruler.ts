import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findJava, jarsOf } from '../../scripts/bench/maven-jars.ts'
import { runOnOneCore } from '../../scripts/bench/one-core.ts'
import { alertTexts } from './alerts.ts'
import { forEventRuler } from './event-ruler-language.ts'
import { fleetFor } from './fleet.ts'
import { comparedAlerts } from './measure.ts'
import type { NodeJob, Outcome } from './node-run.ts'
import { rulesOf } from './rule-sets.ts'

/** Why there are no figures of it, in words for the table. */
export class LeftOut extends Error {}

/** A virtual machine goes on compiling what it runs for long, and on one core that delays what it runs. */
const leastWarmUpSeconds = 8

/** Its processor clock ticks a hundred times a second: shorter rounds would be counted in few ticks. */
const leastSeconds = 3

/** A run that hangs is ended; loading alone has a bound that is kept between two rules. */
const graceMs = 180_000

export async function runEventRuler(job: Omit<NodeJob, 'engine'>, rulerSeconds: number): Promise<Outcome> {
  const { java, jars } = await toolsOrLeftOut()
  const folder = mkdtempSync(join(tmpdir(), 'tocsin-bench-'))
  try {
    const rulesFile = join(folder, 'rules')
    writeRules(rulesFile, job)
    const alertFiles = job.alerts.sizes.map(size => {
      const file = join(folder, size)
      writeFileSync(file, alertTexts(fleetFor(job.rules), size, job.alerts.count).join('\n'))
      return file
    })
    const seconds = Math.max(leastSeconds, job.effort.seconds)
    const warmUpSeconds = Math.max(leastWarmUpSeconds, job.effort.warmUpSeconds)
    const numbers = [rulerSeconds, seconds, warmUpSeconds, job.effort.rounds, comparedAlerts].map(String)
    // Of its collectors this one let it match most alerts, a quarter more than the usual one of a single core.
    const javaOptions = ['-XX:+UseParallelGC', '-cp', join(jars, '*'), join(import.meta.dirname, 'EventRuler.java')]
    const args = [...javaOptions, rulesFile, ...numbers, ...alertFiles]
    const timeoutMs = (rulerSeconds + 2 * (seconds + warmUpSeconds)) * 1_000 + graceMs
    return JSON.parse(await runOnOneCore(java, args, timeoutMs)) as Outcome
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function toolsOrLeftOut(): Promise<{ java: string; jars: string }> {
  try {
    return {
      java: findJava(process.env),
      jars: await jarsOf(join(import.meta.dirname, 'pom.xml'), 'event-ruler'),
    }
  } catch (error) {
    throw new LeftOut(`left out: ${(error as Error).message.split('\n')[0]}`)
  }
}

function writeRules(file: string, { kind, rules, load }: Omit<NodeJob, 'engine'>): void {
  const handle = openSync(file, 'w')
  try {
    for (const rule of rulesOf(kind, rules, load)) {
      const pattern = forEventRuler(rule)
      if (pattern === undefined) throw new LeftOut('left out: its language cannot say these rules')
      writeSync(handle, `${rule.id}\t${JSON.stringify(pattern)}\n`)
    }
  } finally {
    closeSync(handle)
  }
}
