/**
 * The fleet that rules watch and alerts come from. It grows with the rule set: each service has `rulesPerService` rules
 * of its own, so an alert, which comes from one service, matches about as many rules among a million as among a
 * thousand.
 */
export interface Fleet {
  readonly services: number
  /** How many services each region has; a service's name and its region together name one service. */
  readonly perRegion: number
}

export interface Service {
  readonly index: number
  /** Also found in about √services other regions. */
  readonly name: string
  readonly region: string
  /** Unique, like everything below. */
  readonly source: string
  readonly team: string
  /** What its messages start with. */
  readonly subject: string
  /** What its host names end with. */
  readonly domain: string
  /** 16 addresses and 10 account numbers are its own. */
  readonly firstIp: number
  readonly firstAccount: number
}

export const rulesPerService = 5
export const hostsPerService = 16
export const accountsPerService = 10

export function fleetFor(rules: number): Fleet {
  const services = Math.max(1, Math.ceil(rules / rulesPerService))
  return { services, perRegion: Math.ceil(Math.sqrt(services)) }
}

const words = ['checkout', 'payments', 'search', 'catalog', 'billing', 'gateway', 'ledger', 'mailer', 'orders', 'auth']
const areas = ['euw1', 'eun1', 'use1', 'usw2', 'aps1', 'sae1']

export function serviceAt({ services, perRegion }: Fleet, position: number): Service {
  const index = position % services
  const withinRegion = index % perRegion
  const regionIndex = Math.floor(index / perRegion)
  const name = `${words[withinRegion % words.length]}-${withinRegion}`
  const region = `${areas[regionIndex % areas.length]}-c${regionIndex}`
  return {
    index,
    name,
    region,
    source: `${region}/${name}`,
    team: `team-${index}`,
    subject: `${name} on ${region}: `,
    domain: `.${name}.${region}`,
    firstIp: index * hostsPerService,
    firstAccount: index * accountsPerService,
  }
}

/** Within 10.0.0.0/8. */
export function ipAddress(offset: number): string {
  return `10.${(offset >>> 16) & 255}.${(offset >>> 8) & 255}.${offset & 255}`
}

export const severities = ['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'] as const

/** Name of the alert, and the words for it in a message. */
export const alertNames = [
  ['error_rate', 'error rate'],
  ['latency', 'latency'],
  ['saturation', 'saturation'],
  ['queue_lag', 'queue lag'],
  ['disk_full', 'disk space'],
  ['memory', 'memory'],
  ['cpu', 'processor time'],
  ['timeouts', 'timeouts'],
  ['restarts', 'restarts'],
  ['certificate', 'certificate age'],
] as const
