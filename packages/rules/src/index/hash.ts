/**
 * What hashes begin with and are multiplied by is drawn in each process: of hashes that anybody can compute, texts with
 * the same one can be written down as well, and thousands of those make each rule that is added walk past all others.
 */
const drawn = crypto.getRandomValues(new Int32Array(3))

/** As random, and such that its powers take all the ways that they can. */
const factorFrom = (bits: number) => (bits & ~7) | 3

/** Hashes are 32-bit integers: those are kept in place, where larger numbers are objects. */
export const hashStart = drawn[0] as number
const factor = factorFrom(drawn[1] as number)
/** For hashes that roll. */
export const rollBase = factorFrom(drawn[2] as number)

/** One more character into a hash by which texts are found: if two share one, a rule is asked in vain. */
export const stepHash = (hash: number, code: number): number => Math.imul(hash ^ code, factor)

/** One more number into a hash by which things are kept once. High bits come down as well at each step. */
export function extendHash(hash: number, part: number): number {
  const bits = stepHash(hash, part)
  return bits ^ (bits >>> 15)
}

/** Every bit of the input moves the low bits, by which tables are entered. */
export function spread(hash: number): number {
  const bits = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d)
  return bits ^ (bits >>> 13)
}

export function hashText(text: string): number {
  let hash = hashStart
  for (let at = 0; at < text.length; at++) hash = extendHash(hash, text.charCodeAt(at))
  return spread(hash)
}

const double = new Float64Array(1)
const halves = new Int32Array(double.buffer)

function hashNumber(number: number): number {
  // Of -0 the sum is 0.
  double[0] = number + 0
  return spread(extendHash(extendHash(hashStart, halves[0] as number), halves[1] as number))
}

/**
 * Of a value as JSON has it. What is the same gets the same hash, but for objects with their members in another order:
 * those are then taken for two, which costs nothing but being kept twice.
 */
export function hashValue(value: unknown): number {
  if (typeof value === 'string') return hashText(value)
  if (typeof value === 'number') return hashNumber(value)
  return hashText(JSON.stringify(value) ?? '')
}

/** Equal as JSON values are, lists and objects by what is in them; 0 and -0 are, as no operator tells them apart. */
export function isSameValue(one: unknown, other: unknown): boolean {
  if (one === other || Object.is(one, other)) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Array.isArray(one) !== Array.isArray(other)) return false
  const names = Object.keys(one)
  if (names.length !== Object.keys(other).length) return false
  const memberOf = (value: object, name: string) => (value as Record<string, unknown>)[name]
  return names.every(name => Object.hasOwn(other, name) && isSameValue(memberOf(one, name), memberOf(other, name)))
}

export function copyOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyOf)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, copyOf(member)]))
}
