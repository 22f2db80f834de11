import { type Random, randomFrom } from '../../bench/matcher/random.ts'
import type { Teams } from './teams.ts'

/** One alert: what was sent, who must be told of it, and whether somebody said that it was taken. */
export interface Entry {
  readonly alert: {
    readonly alert_id: string
    readonly severity: 'LOW' | 'HIGH' | 'CRITICAL'
    readonly source: string
    readonly name: string
    readonly context: { readonly error_rate: number; readonly number: number }
    readonly dedup_key?: string
    readonly status: 'firing' | 'resolved'
  }
  /** The teams that have a rule for it. */
  readonly teams: readonly string[]
  /** Of a resolved alert: what told of the same problem before. */
  readonly firing: Entry | undefined
  /** When the first try of it began, and when one of its tries was acknowledged. */
  sentAt?: number
  acknowledgedAt?: number
}

/**
 * What a producer sends, in order: problems that fire and resolve a while later, and alerts without a problem. The ids
 * are random, so that an order by id is not the order of sending.
 */
export function makeLedger(seed: number, count: number, teams: Teams): Entry[] {
  const random = randomFrom(seed, 7_000)
  const entries: Entry[] = []
  const open: Entry[] = []
  while (entries.length < count) {
    const resolves = open.length > 40 || (open.length > 0 && random.chance(0.25))
    const firing = resolves ? open.shift() : undefined
    const entry = makeEntry(random, entries.length, firing, teams)
    entries.push(entry)
    if (!resolves && entry.alert.dedup_key !== undefined) open.push(entry)
  }
  return entries
}

function makeEntry(random: Random, number: number, firing: Entry | undefined, teams: Teams): Entry {
  const id = `${random.below(2 ** 30).toString(36)}-${number}`
  const dedupKey = firing ? firing.alert.dedup_key : random.chance(0.5) ? `problem-${id}` : undefined
  const alert: Entry['alert'] = {
    alert_id: id,
    severity: firing ? firing.alert.severity : random.pick(['LOW', 'HIGH', 'CRITICAL']),
    source: 'faults',
    name: teams.alertName,
    context: { error_rate: firing ? firing.alert.context.error_rate : random.next(), number },
    ...(dedupKey === undefined ? {} : { dedup_key: dedupKey }),
    status: firing ? 'resolved' : 'firing',
  }
  return { alert, teams: teams.toldOf(alert), firing }
}
