/** Nearest rank: a value that was measured, never one between two. */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) return Number.NaN
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN
}

/** The three that budgets are written in, under the names that results carry. */
export function latencyFigures(valuesMs: readonly number[], prefix = ''): Record<string, number> {
  return Object.fromEntries([50, 95, 99].map(percent => [`${prefix}p${percent}_ms`, percentile(valuesMs, percent)]))
}
