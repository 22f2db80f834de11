import {
  accountsPerService,
  alertNames,
  type Fleet,
  hostsPerService,
  ipAddress,
  type Service,
  serviceAt,
  severities,
} from './fleet.ts'
import { type Random, randomFrom } from './random.ts'

/** Small alerts are about 330 bytes of JSON, large ones about 900. */
export const alertSizes = ['small', 'large'] as const
export type AlertSize = (typeof alertSizes)[number]

const seed = 1_729

/** The alerts of a corpus as JSON, each from a service that is drawn evenly from the whole fleet. */
export function alertTexts(fleet: Fleet, size: AlertSize, count: number): string[] {
  return Array.from({ length: count }, (_, index) => JSON.stringify(alertAt(fleet, size, index)))
}

function alertAt(fleet: Fleet, size: AlertSize, index: number): object {
  const random = randomFrom(seed, index)
  const service = serviceAt(fleet, random.below(fleet.services))
  const [name, words] = random.pick(alertNames)
  const node = random.below(hostsPerService)
  const errorRate = random.below(10_000) / 100
  return {
    alert_id: `a-${index}`,
    severity: random.pick(severities),
    source: service.source,
    name,
    context: {
      service: service.name,
      region: service.region,
      host: `n${node}${service.domain}`,
      ip: ipAddress(service.firstIp + node),
      account: service.firstAccount + random.below(accountsPerService),
      error_rate: errorRate,
      latency_ms: rarelyHigh(random, 500),
      tags: [random.pick(['prod', 'test']), service.team],
      message: `${service.subject}${words} ${errorRate} over limit`,
      ...(size === 'large' ? details(random, service, node) : {}),
    },
  }
}

function details(random: Random, { index, name, region, subject }: Service, node: number): object {
  const hex = () =>
    random
      .below(2 ** 32)
      .toString(16)
      .padStart(8, '0')
  return {
    free_mb: 1_000_000 - rarelyHigh(random, 500),
    ...(random.chance(0.5) ? { trace_id: `${hex()}${hex()}` } : {}),
    kubernetes: {
      namespace: name,
      pod: `${name}-${hex()}`,
      node: `node-${node}.${region}`,
      labels: Object.fromEntries(labelsOf(index).map(label => [label, 'on'])),
    },
    http: { method: random.pick(['GET', 'POST']), path: `/api/v1/${name}`, status: random.pick([200, 429, 500, 503]) },
    disks: ['data', 'logs'].map(disk => ({ mount: `/${disk}/${region}/${name}`, used_percent: random.below(100) })),
    runbook: `https://runbooks.example.com/${name}/${node}`,
    description: `${subject}the value has been over its limit for ${random.below(60)} minutes. ${advice}`,
  }
}

const advice = 'Look at the last deployments first, then at the services it depends on.'

export const labelCount = 200

/** Three of the labels that the fleet knows; what belongs together does not change from alert to alert. */
export function labelsOf(serviceIndex: number): string[] {
  const random = randomFrom(seed, 1, serviceIndex % 500)
  const labels = new Set<string>()
  while (labels.size < 3) labels.add(`label-${random.below(labelCount)}`)
  return [...labels].sort()
}

/** Mostly near 0, ever more seldom the higher: the average is `mean`. */
function rarelyHigh(random: Random, mean: number): number {
  return Math.floor(-Math.log(1 - random.next()) * mean)
}
