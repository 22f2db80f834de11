/** Ids say what they are: `ntf_…` in a log line needs no column name beside it. */
const prefixes = {
  rule: 'rul',
  endpoint: 'end',
  notification: 'ntf',
  delivery: 'dlv',
  alert: 'alt',
  deadLetter: 'dlt',
  key: 'key',
  request: 'req',
} as const

const randomBytes = 10
const pool = new Uint8Array(randomBytes * 400)
let used = pool.length
/** Of the random bytes, in ids that are made together. */
const placeBytes = 2
const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/**
 * The time in front (48 bits of milliseconds), chance behind (80 bits). New rows land at the right edge of their index
 * instead of all over it, and ids made later sort later. No `.` and no `:` in it: webhook-id and BullMQ refuse those.
 */
export function newId(kind: keyof typeof prefixes, now: number = Date.now()): string {
  return idOf(kind, now, '', randomBytes)
}

/** As many, which sort in the order in which they are given: their place comes between the time and the chance. */
export function newIds(kind: keyof typeof prefixes, count: number, now: number = Date.now()): string[] {
  const placeMax = 2 ** (8 * placeBytes)
  return Array.from({ length: count }, (_, at) => {
    const place = (at % placeMax).toString(16).padStart(2 * placeBytes, '0')
    return idOf(kind, now + Math.floor(at / placeMax), place, randomBytes - placeBytes)
  })
}

/** No id that was made at this time or later sorts before it, and none that was made earlier after it. */
export function firstIdAt(kind: keyof typeof prefixes, time: number): string {
  return `${prefixes[kind]}_${hexOf(time)}`
}

const hexOf = (time: number) => time.toString(16).padStart(12, '0')

function idOf(kind: keyof typeof prefixes, now: number, place: string, bytes: number): string {
  let id = `${prefixes[kind]}_${hexOf(now)}${place}`
  if (used + bytes > pool.length) {
    // A call for 10 bytes takes 3 µs, one for all of these hardly more.
    crypto.getRandomValues(pool)
    used = 0
  }
  for (const end = used + bytes; used < end; used++) id += hex[pool[used]!]
  return id
}
