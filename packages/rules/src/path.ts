import { limits } from './language.ts'

/** `$` and then any of `.name`, `['name']` and `[n]`: the part of JSONPath that names one place. */
const step = /\.([^.[\]'"*@?() ]+)|\[(\d+)\]|\['([^'[\]]+)'\]/y

/** A whole path by its form. Some that have it are refused for a name in them. */
export const pathPattern = new RegExp(`^\\$(?:${step.source})*$`)

/**
 * Names that json-rules-engine's JSONPath takes for something else than a name, wherever they stand: lists, slices,
 * filters, escapes, types, parents. It has no way to quote them all, so they are refused rather than given a second
 * meaning.
 */
const operatorInName = /[,;^~]|#\d|%@|^[`@]|^[$*]$|^\.\.$|^\??\(|^-?\d*:-?\d*:?\d*$|@[a-zA-Z]+\(\)/

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
    const name = (found[1] ?? found[2] ?? found[3]) as string
    if (operatorInName.test(name)) return { problem: `has the name ${name}, which JSONPath takes for an operator` }
    steps.push(name)
  }
  if (steps.length > limits.pathSteps) return { problem: `has more than ${limits.pathSteps} steps` }
  return { steps }
}

/**
 * Own properties only: what an object inherits is no part of the alert. As in the engine, a path on a scalar fact gives
 * the fact itself; further in, a text that is not empty has its `length` and its characters.
 */
export function readPath(fact: unknown, steps: readonly string[]): unknown {
  if (fact === null || typeof fact !== 'object') return fact
  let value: unknown = fact
  for (const name of steps) {
    if (!value || !Object.hasOwn(value, name)) return undefined
    value = (value as Record<string, unknown>)[name]
  }
  return value
}
