import { limits } from './language.ts'

/** `$` and then any of `.name`, `['name']` and `[n]`: the part of JSONPath that names one place. */
const step = /\.([^.[\]'"*@?() ]+)|\[(\d+)\]|\['((?:[^'\\])*)'\]/y

/** The steps of a path, or a sentence on what is wrong with it. */
export function parsePath(path: string): { steps: string[] } | { problem: string } {
  if (!path.startsWith('$')) return { problem: 'must start with $' }
  const steps: string[] = []
  step.lastIndex = 1
  while (step.lastIndex < path.length) {
    const at = step.lastIndex
    const found = step.exec(path)
    if (found === null)
      return { problem: `cannot be read from position ${at}: only .name, ['name'] and [n] are allowed` }
    steps.push(found[1] ?? found[2] ?? found[3] ?? '')
  }
  if (steps.length > limits.pathSteps) return { problem: `has more than ${limits.pathSteps} steps` }
  return { steps }
}

/** Own properties only: what an object inherits is no part of the alert. A path on a scalar fact gives the fact itself. */
export function readPath(fact: unknown, steps: readonly string[]): unknown {
  if (fact === null || typeof fact !== 'object') return fact
  let value: unknown = fact
  for (const name of steps) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}
