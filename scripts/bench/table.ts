import { aligned } from '../cli/status.ts'
import type { BenchRow } from './scenario.ts'

/** Rows of the same columns with their names above; numbers end where the name of their column ends. */
export function tableOf(rows: readonly BenchRow[]): string {
  const names = Object.keys(rows[0] ?? {})
  const cells = rows.map(row => names.map(name => shown(row[name])))
  const lines = [names, ...cells].map(line =>
    line.map((cell, column) =>
      isNumeric(rows, names[column]!) ? cell.padStart(widest([names, ...cells], column)) : cell,
    ),
  )
  return aligned(lines.map(([first = '', ...others]) => [`  ${first}`, ...others]))
}

const isNumeric = (rows: readonly BenchRow[], name: string) => rows.some(row => typeof row[name] === 'number')

const widest = (lines: readonly (readonly string[])[], column: number) =>
  Math.max(...lines.map(line => line[column]?.length ?? 0))

function shown(value: string | number | null | undefined): string {
  return typeof value === 'number' ? readable(value) : (value ?? '-')
}

export function readable(value: number): string {
  const size = Math.abs(value)
  if (size < 1) return value.toLocaleString('en', { maximumSignificantDigits: 2 })
  return value.toLocaleString('en', { maximumFractionDigits: size < 10 ? 2 : size < 100 ? 1 : 0 })
}
