/**
 * A value as json-rules-engine compares it. The engine works on a copy of the rule, and its copying leaves out members
 * whose names every object inherits: `{"toString": 1}` arrives as `{}`, and can be compared. A copy also keeps out what
 * the caller does to the rule later.
 */
export function copyOfNamed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(copyOfNamed)
  const members = Object.entries(value).filter(([name]) => !Object.hasOwn(Object.prototype, name))
  return Object.fromEntries(members.map(([name, child]) => [name, copyOfNamed(child)]))
}
