/** One line for the person at the terminal: what it is about (a part, a service), and what there is to say. */
export type Report = (subject: string, text: string) => void

/** A mistake of the caller or a lack of the machine, with what to do about it: shown without a stack trace. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: number

  constructor(message: string, exitCode = 1, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** Ctrl-C, or what a service manager does in its place, before there was anything to show. */
export class Interrupted extends CliError {
  constructor() {
    super('Interrupted: what was started is stopped again', 130)
  }
}

export function seconds(sinceMs: number): string {
  return `${((Date.now() - sinceMs) / 1_000).toFixed(1)} s`
}
