import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Home, logFileOf } from '../home.ts'
import { serviceNames } from '../supervisor/services.ts'
import { createLogFormat } from './log-line.ts'

export interface FollowOptions {
  /** Names of services and servers; the services when not given. */
  readonly names?: readonly string[]
  readonly signal: AbortSignal
}

/** Short enough to feel immediate, and next to nothing when there is nothing: one stat per file. */
const lookEveryMs = 150

/** Prints what is written to the logs from now on, until told to end. */
export async function followLogs(home: Home, { names = serviceNames, signal }: FollowOptions): Promise<void> {
  const format = createLogFormat({ colored: Boolean(process.stdout.isTTY) })
  const tails = names.map(name => new Tail(name, logFileOf(home, name)))
  while (!signal.aborted) {
    const lines = tails.flatMap(tail => tail.newLines().map(line => format(tail.name, line)))
    if (lines.length > 0) process.stdout.write(`${lines.join('\n')}\n`)
    await sleep(lookEveryMs, undefined, { signal }).catch(() => {})
  }
}

const chunkBytes = 256 * 1024

class Tail {
  readonly name: string
  readonly #file: string
  #offset: number
  #decoder = new StringDecoder('utf8')
  #partial = ''

  constructor(name: string, file: string) {
    this.name = name
    this.#file = file
    this.#offset = sizeOf(file)
  }

  newLines(): string[] {
    const size = sizeOf(this.#file)
    // A file that shrank is another file: it was moved aside, or wiped.
    if (size < this.#offset) this.#offset = 0
    if (size === this.#offset) return []
    const text = this.#partial + this.#decoder.write(this.#read(size))
    const lines = text.split('\n')
    this.#partial = lines.pop() ?? ''
    return lines
  }

  #read(size: number): Buffer {
    const buffer = Buffer.alloc(Math.min(size - this.#offset, chunkBytes))
    const file = openSync(this.#file, 'r')
    try {
      const length = readSync(file, buffer, 0, buffer.length, this.#offset)
      this.#offset += length
      return buffer.subarray(0, length)
    } finally {
      closeSync(file)
    }
  }
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}
