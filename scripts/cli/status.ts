import { styleText } from 'node:util'
import { serviceNames } from '../supervisor/services.ts'
import { inspectStack, type StackDetails } from '../supervisor/stack-status.ts'
import type { Command } from './command.ts'

export const command: Command = {
  help: `status [--json]

What runs, where, and whether it is ready. Exit code 0 when everything is ready, 1 when not.

  --json   one JSON object and nothing else, exit code 0 in both cases:
           {ready, services: {name: {url, ready, pid, rss_bytes}}, urls, admin_key}
`,
  options: { json: { type: 'boolean' } },
  maxPositionals: 0,

  async run({ values, home }) {
    const details = await inspectStack(home)
    if (values.json) {
      process.stdout.write(`${JSON.stringify(details.status, undefined, 2)}\n`)
      return 0
    }
    printTable(details)
    return details.status.ready ? 0 : 1
  },
}

function printTable({ status, phase, reasons, infra, servers }: StackDetails): void {
  const rows: string[][] = [['', 'state', 'pid', 'memory', 'where']]
  for (const name of serviceNames) {
    const { ready, pid, rss_bytes, url } = status.services[name]
    rows.push([name, ready ? 'ready' : (reasons.get(name) ?? ''), shown(pid), megabytes(rss_bytes), shown(url)])
  }
  const addresses: Record<string, string | null> = {
    postgres: status.urls.database_url,
    kafka: status.urls.kafka_brokers,
    redis: status.urls.redis_url,
    mail: status.urls.mail,
  }
  for (const [name, { pid, rss_bytes }] of servers) {
    const chosen = infra?.[name as keyof typeof infra] ?? 'down'
    const kind = chosen === 'embedded' && pid === null ? 'down' : chosen
    rows.push([name, kind, shown(pid), megabytes(rss_bytes), shown(addresses[name])])
  }
  process.stdout.write(`${aligned(rows)}\n\n`)
  const verdict = status.ready ? 'ready' : verdicts[phase]
  const color = status.ready ? 'green' : 'red'
  process.stdout.write(`Tocsin is ${styleText(color, verdict, { stream: process.stdout })}\n`)
}

const verdicts: Readonly<Record<StackDetails['phase'], string>> = {
  starting: 'starting',
  ready: 'not ready',
  stopping: 'stopping',
  down: 'down',
  orphaned: 'left without its supervisor, which was killed: up or down puts that in order',
}

const shown = (value: string | number | null | undefined) => String(value ?? '-')
const megabytes = (bytes: number | null) => (bytes === null ? '-' : `${Math.round(bytes / 1_048_576)} MB`)

export function aligned(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows)
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length)
  return rows
    .map(row =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
