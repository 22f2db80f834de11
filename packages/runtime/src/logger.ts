import { type Logger, pino } from 'pino'

export type { Logger }

/** Structured lines on stdout. People read them through `./tocsin up` and `./tocsin logs`, which format them. */
export function createLogger(service: string, level = 'info'): Logger {
  return pino({
    level,
    base: { service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: label => ({ level: label }) },
    // Keys and secrets have no business in a log line, wherever an object was logged whole.
    redact: {
      paths: ['*.authorization', '*.secret', '*.password', 'authorization', 'secret', 'password'],
      censor: '[secret]',
    },
  })
}
