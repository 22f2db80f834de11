/** Hashes are 32-bit integers: those are kept in place, where larger numbers are objects. */
export const hashStart = 0x811c9dc5 | 0

/** One more number into a hash (FNV-1a on 16 bits at a time). */
export const extendHash = (hash: number, part: number): number => Math.imul(hash ^ part, 0x01000193)

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

/** Of a value as JSON has it. What is the same gets the same hash, and 0 the one of -0. */
export function hashValue(value: unknown): number {
  if (typeof value === 'string') return hashText(value)
  if (typeof value === 'number') {
    if (value === (value | 0)) return spread(value | 0)
    return spread(extendHash(Math.floor(value / 2 ** 32) | 0, Math.floor((value % 1) * 2 ** 30) ^ (value | 0)))
  }
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
