/**
 * The text that JavaScript makes of a list or an object to compare it with something else, as far as that can tell: at
 * least its first `length` characters, and no number if the whole is none. Undefined where JavaScript throws.
 * Of JSON only: there, that is where an object has a member called `toString`.
 */
export function textOf(value: object, length: number): string | undefined {
  return hasText(value) ? startOfText(value, length) : undefined
}

/** This is done to the whole of a list however little of its text is needed: 1 ns for each member, its text takes 50. */
export function hasText(value: object): boolean {
  if (!Array.isArray(value)) return !Object.hasOwn(value, 'toString')
  for (let at = 0; at < value.length; at++) {
    const member: unknown = value[at]
    if (typeof member === 'object' && member !== null && !hasText(member)) return false
  }
  return true
}

function startOfText(value: object, length: number): string {
  if (!Array.isArray(value)) return '[object Object]'
  if (value.length === 0) return ''
  let text = startOfMember(value[0], length)
  // The first comma is always written: what has one is no number.
  for (let at = 1; at < value.length && (at === 1 || text.length < length); at++) {
    text += `,${startOfMember(value[at], length - text.length)}`
  }
  return text
}

function startOfMember(member: unknown, length: number): string {
  if (typeof member === 'object' && member !== null) return startOfText(member, length)
  return String(member ?? '')
}
