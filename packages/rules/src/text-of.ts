/**
 * The text that JavaScript makes of a list or an object to compare it with something else, as far as that can tell: at
 * least its first `length` characters, and no number if the whole is none. Undefined where JavaScript throws.
 * Of JSON only: there, that is where an object has a member called `toString`.
 */
export function textOf(value: object, length: number): string | undefined {
  return hasText(value) ? startOfText(value, length) : undefined
}

/**
 * This is done to the whole of a list however little of its text is needed: 1 ns for each member, where its text takes
 * 50. Lists in lists are kept for later: going down into each takes five times as long.
 */
export function hasText(value: object): boolean {
  if (!Array.isArray(value)) return hasTextAlone(value)
  if (value.length === 0) return true
  let lists: unknown[][] | undefined
  for (let list: unknown[] | undefined = value; list !== undefined; list = lists?.pop()) {
    for (let at = 0; at < list.length; at++) {
      const member = list[at]
      if (typeof member !== 'object' || member === null) continue
      if (!Array.isArray(member)) {
        if (!hasTextAlone(member)) return false
      } else if (member.length > 0) {
        lists ??= []
        lists.push(member)
      }
    }
  }
  return true
}

/** Reading it takes a tenth of the time that asking whether it is the object's own takes. */
const hasTextAlone = (value: object) => value.toString === Object.prototype.toString

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
