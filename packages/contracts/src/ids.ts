/** Ids say what they are: `ntf_…` in a log line needs no column name beside it. */
const prefixes = {
  rule: 'rul',
  endpoint: 'end',
  notification: 'ntf',
  delivery: 'dlv',
  alert: 'alt',
  key: 'key',
  request: 'req',
} as const

/**
 * The time in front (48 bits of milliseconds), chance behind (80 bits). New rows land at the right edge of their index
 * instead of all over it, and ids made later sort later. No `.` and no `:` in it: webhook-id and BullMQ refuse those.
 */
export function newId(kind: keyof typeof prefixes, now: number = Date.now()): string {
  const random = crypto.getRandomValues(new Uint8Array(10))
  const time = now.toString(16).padStart(12, '0')
  return `${prefixes[kind]}_${time}${Array.from(random, byte => byte.toString(16).padStart(2, '0')).join('')}`
}
