import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { createHome, type Home, logFileOf } from '../home.ts'
import { Interrupted, type Report, seconds } from '../report.ts'
import { killStack, type Stack, type StackOptions, startStack } from './supervisor.ts'

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * A terminal's Ctrl-C under `npm start` comes twice, from the terminal and passed on by npm. Only what comes later than
 * this is a person who presses it again.
 */
const repeatedAfterMs = 500

/** The life of a supervisor: start, be there until a signal asks for the end, stop in order. */
export async function runStack(options: Omit<StackOptions, 'signal'>, onReady: (stack: Stack) => void): Promise<void> {
  const report = recorded(options.home, options.report)
  const stop = new AbortController()
  let stoppingSince = 0
  const onSignal = () => {
    if (!stop.signal.aborted) {
      stoppingSince = Date.now()
      report('tocsin', 'stopping')
      stop.abort(new Interrupted())
    } else if (Date.now() - stoppingSince > repeatedAfterMs) {
      killStack(options.home)
      process.exit(130)
    }
  }
  for (const signal of signals) process.on(signal, onSignal)
  try {
    await using stack = await startStack({ ...options, report, signal: stop.signal })
    report('tocsin', 'up')
    onReady(stack)
    if (!stop.signal.aborted) await once(stop.signal, 'abort')
  } finally {
    if (stop.signal.aborted) report('tocsin', `stopped (${seconds(stoppingSince)})`)
    for (const signal of signals) process.off(signal, onSignal)
  }
}

/** Also into the supervisor's own log, in the form of the services' lines, so that `logs` can show them together. */
function recorded(home: Home, report: Report): Report {
  createHome(home)
  const file = logFileOf(home, 'supervisor')
  return (subject, text) => {
    const line = { level: 'info', time: new Date().toISOString(), service: 'supervisor', msg: `${subject}: ${text}` }
    try {
      appendFileSync(file, `${JSON.stringify(line)}\n`)
    } catch {
      // A full disk. Whoever watches still gets the line, and a stop must not fail for it.
    }
    report(subject, text)
  }
}
