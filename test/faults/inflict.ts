import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '@tocsin/runtime/errors'
import { eventually } from '@tocsin/testkit/eventually'
import { targetOf } from '@tocsin/testkit/gate'
import type { Conditions } from '@tocsin/testkit/network'
import { tellRedis } from '@tocsin/testkit/redis-pair'
import type { ServiceProcess } from '@tocsin/testkit/service-process'
import type { InfraPart } from '../../scripts/infra/infra-part.ts'
import type { Cluster } from './cluster.ts'
import { describe, type Fault, type Link, nameOf, servers, type Worker } from './plan.ts'

/**
 * Does what the plan says, when its time has come. What is about one target waits for what is under way there; all else
 * happens at the same time.
 */
export class Inflictor implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #say: (text: string) => void
  readonly #waiting: Fault[]
  readonly #underWay = new Map<string, Promise<void>>()
  readonly #stopping = new AbortController()
  readonly #watching: Promise<void>
  /** What ended without being told to. */
  readonly deaths: string[] = []

  constructor(cluster: Cluster, plan: readonly Fault[], say: (text: string) => void) {
    this.#cluster = cluster
    this.#say = say
    this.#waiting = [...plan]
    this.#watching = this.#watch()
  }

  /** Begins what is due when this share of the alerts was sent. */
  progress(share: number): void {
    while (this.#waiting[0] !== undefined && this.#waiting[0].at <= share) this.#begin(this.#waiting.shift()!)
  }

  /** When everything is put right again. Fails if something cannot be. */
  async over(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay.values())
  }

  /** Whatever became of the run: nothing is started again behind the back of whoever then ends everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#underWay.values())
    this.#stopping.abort()
    await this.#watching
  }

  #begin(fault: Fault): void {
    const target = nameOf(fault)
    const before = this.#underWay.get(target) ?? Promise.resolve()
    const done = before.then(async () => {
      this.#say(`begins: ${describe(fault)}`)
      await this.#inflict(fault)
      this.#say(`over: ${fault.fault}, ${target}`)
      if (this.#underWay.get(target) === done) this.#underWay.delete(target)
    })
    done.catch(() => {}) // told by `over`
    this.#underWay.set(target, done)
  }

  async #inflict(fault: Fault): Promise<void> {
    const { durationMs } = fault
    switch (fault.fault) {
      case 'kill':
        return this.#end(this.#cluster.services[fault.target], 'SIGKILL', durationMs)
      case 'terminate':
        return this.#end(this.#cluster.services[fault.target], 'SIGTERM', durationMs)
      case 'freeze':
        return freeze(this.#cluster.services[fault.target], durationMs)
      case 'kill at work':
        await this.#atWork(fault.target, async service => void (await service.end('SIGKILL')))
        return this.#end(this.#cluster.services[fault.target], 'SIGKILL', durationMs)
      case 'freeze at work':
        return this.#besideAnother(fault.target, service => freeze(service, durationMs))
      case 'lose at work': {
        const link = { service: fault.target, server: 'kafka' } as const
        return this.#besideAnother(fault.target, () => this.#spoil(link, conditions['black hole'], durationMs))
      }
      case 'join, then leave':
        return this.#join(this.#cluster.another(fault.target), 'SIGTERM', durationMs)
      case 'join, then die':
        return this.#join(this.#cluster.another(fault.target), 'SIGKILL', durationMs)
      case 'restart':
      case 'crash': {
        const part = this.#cluster.part(fault.target)
        await (fault.fault === 'crash' ? part.kill() : part.stop())
        await sleep(durationMs)
        return this.#startPart(part)
      }
      case 'end all sessions':
        return this.#atWork('aggregator', () => this.#endSessions())
      case 'flush':
        return void (await tellRedis(targetOf(this.#cluster.redisUrl), 'FLUSHALL'))
      case 'reset':
        return this.#cluster.link(fault.target.service, fault.target.server).gate.reset()
      default:
        return this.#spoil(fault.target, conditions[fault.fault], durationMs)
    }
  }

  async #end(service: ServiceProcess, signal: NodeJS.Signals, durationMs: number): Promise<void> {
    await service.end(signal)
    await sleep(durationMs)
    // Its port was free for so long, and another instance may have been given it, until that one leaves.
    await eventually(() => service.start(), { withinMs: 120_000, everyMs: 1_000 })
  }

  /** On a machine with other work a broker that was killed takes longer than a start may: it is killed, and started again. */
  async #startPart(part: InfraPart): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await part.start()
      } catch (error) {
        if (attempt === startsMax) throw error
        this.#say(`${part.name} does not start: ${messageOf(error)}`)
        await part.kill()
      }
    }
  }

  async #join(service: ServiceProcess, signal: NodeJS.Signals, durationMs: number): Promise<void> {
    await service.start()
    await sleep(durationMs)
    await service.end(signal)
  }

  /** Over slow lines it always has something in hand: a row without its record, a record without its mark. */
  async #atWork(worker: Worker, work: (service: ServiceProcess) => Promise<void>): Promise<void> {
    const networks = servers.map(server => this.#cluster.link(worker, server).network)
    for (const network of networks) network.become(conditions.latency)
    await sleep(atWorkAfterMs)
    await work(this.#cluster.services[worker])
    for (const network of networks) network.become({})
  }

  async #besideAnother(worker: Worker, work: (service: ServiceProcess) => Promise<void>): Promise<void> {
    const other = this.#cluster.another(worker)
    await other.start()
    await sleep(joinedAfterMs)
    await this.#atWork(worker, work)
    // Both are there while the one that was away finds out.
    await sleep(joinedAfterMs)
    await other.end('SIGTERM')
  }

  async #spoil({ service, server }: Link, conditions: Conditions, durationMs: number): Promise<void> {
    const { network } = this.#cluster.link(service, server)
    network.become(conditions)
    await sleep(durationMs)
    network.become({})
  }

  /** Postgres may be down at that moment by another fault. */
  async #endSessions(): Promise<void> {
    const text =
      'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname IS NOT NULL'
    await this.#cluster.database.query(text).catch(error => this.#say(`no session could be ended: ${error.message}`))
  }

  /** As a supervisor does: what ended by itself is started again. It is told at the end all the same. */
  async #watch(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      for (const service of Object.values(this.#cluster.services)) {
        if (service.running || this.#underWay.has(service.name)) continue
        this.deaths.push(`${service.name} ended by itself\n${service.recentLog()}`)
        this.#say(`${service.name} ended by itself`)
        await service.start().catch(error => this.deaths.push(String(error)))
      }
      await sleep(200)
    }
  }
}

const startsMax = 5
const atWorkAfterMs = 1_000
/** A rebalance waits for what others have in hand. */
const joinedAfterMs = 5_000

const conditions = {
  latency: { latencyMs: 150 },
  bandwidth: { latencyMs: 5, bytesPerS: 100_000 },
  'black hole': { blackHole: true },
} as const satisfies Record<string, Conditions>

async function freeze(service: ServiceProcess, durationMs: number): Promise<void> {
  service.signal('SIGSTOP')
  await sleep(durationMs)
  service.signal('SIGCONT')
}
