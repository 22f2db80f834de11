import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { eventually } from './eventually.ts'

const root = join(import.meta.dirname, '../../..')
const keptLines = 200

/** As under `./tocsin up`: a start that compiles everything anew takes 0.2 s longer. */
const { NODE_COMPILE_CACHE } = process.env
const compileCache = NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }

/** One service as the product runs it: a process of its own under plain node. */
export class ServiceProcess {
  readonly name: string
  readonly #env: Record<string, string>
  readonly #logFile: string | undefined
  readonly #lines: string[] = []
  #child: ChildProcess | undefined
  #port = 0

  /** All that it says goes into `logFile`, if there is one; the last of it is kept here in any case. */
  constructor(name: string, env: Record<string, string>, logFile?: string) {
    this.name = name
    this.#env = env
    this.#logFile = logFile
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Until it listens. A restart takes the port of the first start, as an orchestrator would give it. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [join(root, 'services', this.name, 'src/main.ts')], {
      cwd: root,
      env: { PATH: process.env.PATH ?? '', ...compileCache, ...this.#env, PORT: String(this.#port) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    child.stderr?.on('data', chunk => this.#keep(String(chunk)))
    await new Promise<void>((resolve, reject) => {
      child.once('exit', code =>
        reject(new Error(`${this.name} ended with ${code} before it listened\n${this.recentLog()}`)),
      )
      createInterface({ input: child.stdout! }).on('line', text => {
        this.#keep(text)
        const line = parse(text)
        if (line.msg !== 'listening' || line.port === undefined) return
        this.#port = line.port
        resolve()
      })
    })
  }

  async untilReady(withinMs = 60_000): Promise<void> {
    await eventually(
      async () => {
        const response = await fetch(`${this.url}/ready`)
        if (response.status !== 200) throw new Error(`${this.name}: ${await response.text()}`)
      },
      { withinMs, everyMs: 100 },
    )
  }

  /** SIGSTOP and SIGCONT: what does not end it. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  /** Sends the signal and waits until the process is gone. Gives its exit code. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child
    if (child === undefined) return null
    if (this.running) {
      const exited = once(child, 'exit')
      child.kill(signal)
      await exited
    }
    return child.exitCode
  }

  /** What it said last: printed when a test fails. */
  recentLog(): string {
    return this.#lines.map(line => `  ${this.name} ${line}`).join('\n')
  }

  #keep(line: string): void {
    if (this.#logFile !== undefined) appendFileSync(this.#logFile, `${line.trimEnd()}\n`)
    this.#lines.push(line)
    if (this.#lines.length > keptLines) this.#lines.shift()
  }
}

function parse(text: string): { msg?: string; port?: number } {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}
