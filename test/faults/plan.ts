import { type ServiceName, serviceNames } from '@tocsin/testkit/stack'
import { type Random, randomFrom } from '../../bench/matcher/random.ts'

export const servers = ['kafka', 'postgres', 'redis'] as const
export type Server = (typeof servers)[number]

/** Which server a service talks to. */
const links: Readonly<Record<ServiceName, readonly Server[]>> = {
  'rule-service': servers,
  'rule-updater': servers,
  evaluator: ['kafka', 'redis'],
  aggregator: ['kafka', 'postgres'],
  sender: servers,
  'alert-producer': ['kafka', 'postgres'],
}

/** Those of which several share the work of a consumer group. */
const workers = ['evaluator', 'aggregator', 'sender'] as const
export type Worker = (typeof workers)[number]

export interface Link {
  readonly service: ServiceName
  readonly server: Server
}

/** What is done, to whom, and how it is put right after `durationMs`. */
export type Deed =
  | { readonly fault: 'kill' | 'terminate' | 'freeze'; readonly target: ServiceName }
  | { readonly fault: 'kill at work' | 'freeze at work' | 'lose at work'; readonly target: Worker }
  | { readonly fault: 'join, then leave' | 'join, then die'; readonly target: Worker }
  | { readonly fault: 'restart' | 'crash'; readonly target: Server }
  | { readonly fault: 'end all sessions'; readonly target: 'postgres' }
  | { readonly fault: 'flush'; readonly target: 'redis' }
  | { readonly fault: 'latency' | 'bandwidth' | 'black hole' | 'reset'; readonly target: Link }

export type Fault = Deed & {
  /** When this share of the alerts was sent. */
  readonly at: number
  readonly durationMs: number
}

type Draw = (random: Random) => { deed: Deed; durationMs: readonly [least: number, most: number] }

const service: (random: Random) => ServiceName = random => random.pick(serviceNames)
const worker: (random: Random) => Worker = random => random.pick(workers)
const link = (random: Random): Link => {
  const name = service(random)
  return { service: name, server: random.pick(links[name]) }
}

/** Sessions are given up after 10 s, so who stands still for 20 s wakes up as a zombie: others have its partitions. */
const zombieMs = 20_000

const kill: Draw = random => ({ deed: { fault: 'kill', target: service(random) }, durationMs: [0, 4_000] })
const killAtWork =
  (target: Worker): Draw =>
  () => ({ deed: { fault: 'kill at work', target }, durationMs: [0, 4_000] })
const terminate: Draw = random => ({ deed: { fault: 'terminate', target: service(random) }, durationMs: [0, 4_000] })
const freeze: Draw = random => ({
  deed: { fault: 'freeze', target: service(random) },
  durationMs: [zombieMs, zombieMs],
})
/** Beside a successor that takes over what it has in hand. */
const freezeAtWork =
  (target: Worker): Draw =>
  () => ({ deed: { fault: 'freeze at work', target }, durationMs: [zombieMs, zombieMs] })
/** The same, but that it works on: it hears nothing of Kafka, and still has the other servers. */
const loseAtWork: Draw = random => ({
  deed: { fault: 'lose at work', target: worker(random) },
  durationMs: [zombieMs, zombieMs],
})
const joinAndLeave: Draw = random => ({
  deed: { fault: 'join, then leave', target: worker(random) },
  durationMs: [8_000, 20_000],
})
const joinAndDie: Draw = random => ({
  deed: { fault: 'join, then die', target: worker(random) },
  durationMs: [8_000, 20_000],
})
const restart =
  (target: Server): Draw =>
  () => ({ deed: { fault: 'restart', target }, durationMs: [0, 5_000] })
const crash =
  (target: Server): Draw =>
  () => ({ deed: { fault: 'crash', target }, durationMs: [0, 5_000] })
const endSessions: Draw = () => ({ deed: { fault: 'end all sessions', target: 'postgres' }, durationMs: [0, 0] })
const flush: Draw = () => ({ deed: { fault: 'flush', target: 'redis' }, durationMs: [0, 0] })
const latency: Draw = random => ({ deed: { fault: 'latency', target: link(random) }, durationMs: [5_000, 15_000] })
const bandwidth: Draw = random => ({ deed: { fault: 'bandwidth', target: link(random) }, durationMs: [5_000, 15_000] })
const reset: Draw = random => ({ deed: { fault: 'reset', target: link(random) }, durationMs: [0, 0] })
const blackHole: Draw = random => ({ deed: { fault: 'black hole', target: link(random) }, durationMs: [5_000, 25_000] })
/** Everything that can happen, each at least once. */
const full: readonly Draw[] = [
  ...[kill, kill, terminate, terminate, freeze],
  ...[...workers.map(killAtWork), ...workers.map(freezeAtWork), loseAtWork],
  ...[joinAndLeave, joinAndLeave, joinAndDie],
  ...servers.flatMap(server => [restart(server), crash(server)]),
  ...[endSessions, endSessions, flush],
  ...[latency, bandwidth, reset, reset, blackHole, blackHole],
]

/** What is got over within seconds. */
const short: readonly Draw[] = [
  killAtWork('evaluator'),
  killAtWork('aggregator'),
  endSessions,
  endSessions,
  terminate,
  flush,
  reset,
]

export type Form = 'full' | 'short'
const draws: Readonly<Record<Form, readonly Draw[]>> = { full, short }

/** The first is not at the very beginning and the last not at the very end: what went well before matters too. */
const [first, last] = [0.05, 0.85]
/** In the short form nothing lasts longer. */
const shortMs = 2_000

/** The same for the same seed, wherever it is made. In the order in which they come. */
export function makePlan(seed: number, form: Form): readonly Fault[] {
  const faults = draws[form].map((draw, index): Fault => {
    const random = randomFrom(seed, index)
    const {
      deed,
      durationMs: [least, most],
    } = draw(random)
    const durationMs = least + random.below(most - least + 1)
    return {
      ...deed,
      at: Math.round((first + random.next() * (last - first)) * 1_000) / 1_000,
      durationMs: form === 'full' ? durationMs : Math.min(durationMs, shortMs),
    }
  })
  return faults.toSorted((a, b) => a.at - b.at)
}

/** What one fault at a time is done to. A second instance is beside the first, so that one may die while it comes. */
export function nameOf({ fault, target }: Deed): string {
  if (typeof target !== 'string') return `${target.service} to ${target.server}`
  return fault.startsWith('join') ? `another ${target}` : target
}

/** `at 0.134: black hole, aggregator to kafka, for 12345 ms` */
export function describe(fault: Fault): string {
  return `at ${fault.at.toFixed(3)}: ${fault.fault}, ${nameOf(fault)}, for ${fault.durationMs} ms`
}
