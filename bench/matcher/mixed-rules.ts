import { alertNames, type Fleet, ipAddress, type Service, serviceAt, severities } from './fleet.ts'
import type { Random } from './random.ts'
import { type Condition, where } from './rule.ts'

type Template = (service: Service, random: Random, fleet: Fleet) => Condition[]

/**
 * What teams write, with how many of a hundred rules are of that kind. Every rule names one service, or two that follow
 * each other, by one clause that only it fulfils or by two that many fulfil, and asks one to three other things. So no
 * alert matches more than twice `rulesPerService`. Everything here can be said in Event Ruler's language too: a field
 * stands in one clause only (bounds of a number apart), and whatever is negated is a field that every alert has.
 */
const templates: readonly (readonly [percent: number, template: Template])[] = [
  [24, ({ source }, random) => [where('source', 'equal', source), nameIs(random), severityIs(random)]],
  [6, ({ source }, random) => [where('source', 'equal', source), severityIs(random)]],
  [14, (service, random) => [...pair(service), errorRateOver(random)]],
  [6, (service, random) => [...pair(service), severityIs(random), where('context.tags', 'contains', 'prod')]],
  [
    10,
    ({ source }, random) => {
      const from = random.below(400)
      const between = [where('context.latency_ms', 'greaterThanInclusive', from)]
      return [where('source', 'equal', source), ...between, where('context.latency_ms', 'lessThan', from + 800)]
    },
  ],
  [
    8,
    ({ index, source }, random, fleet) => [
      where('source', 'in', [source, serviceAt(fleet, index + 1).source]),
      where('severity', 'notEqual', random.pick(severities)),
      where('name', 'notEqual', random.pick(alertNames)[0]),
    ],
  ],
  [5, ({ subject }, random) => [where('context.message', 'startsWith', subject), errorRateOver(random)]],
  [4, ({ domain }, random) => [where('context.host', 'endsWith', domain), severityIs(random)]],
  [
    5,
    ({ name, region }, random) => [
      where('context.message', 'wildcard', `${name} on ${region}: *${random.pick(alertNames)[1]} * limit`),
      where('context.latency_ms', 'lessThan', 600),
    ],
  ],
  [
    5,
    (service, random) => [
      { any: [where('source', 'equal', service.source), { all: pair(service) }] },
      where('severity', 'in', ['HIGH', 'CRITICAL']),
      errorRateOver(random),
    ],
  ],
  [
    4,
    ({ source, firstAccount }, random) => [
      where('source', 'equal', source),
      where('context.account', 'between', [firstAccount + random.below(5), firstAccount + 9]),
    ],
  ],
  [3, ({ firstIp }, random) => [where('context.ip', 'cidr', `${ipAddress(firstIp)}/28`), severityIs(random)]],
  [3, ({ source }, random) => [where('source', 'equalsIgnoreCase', source.toUpperCase()), nameIs(random)]],
  [
    3,
    ({ team }, random) => [
      where('context.tags', 'contains', team),
      where('context.trace_id', 'exists', random.chance(0.5)),
      { not: where('severity', 'in', ['LOW', 'MEDIUM']) },
    ],
  ],
]

/** Which template each of a hundred draws means. */
const drawn = templates.flatMap(([percent, template]) => Array<Template>(percent).fill(template))

export function mixedConditions(fleet: Fleet, index: number, random: Random): Condition[] {
  return random.pick(drawn)(serviceAt(fleet, index), random, fleet)
}

const nameIs = (random: Random) => where('name', 'equal', random.pick(alertNames)[0])
const severityIs = (random: Random) => where('severity', 'equal', random.pick(severities))
const errorRateOver = (random: Random) => where('context.error_rate', 'greaterThan', random.below(100))

/** Neither of the two names the service alone: as many services share the one as share the other. */
const pair = ({ name, region }: Service) => [
  where('context.service', 'equal', name),
  where('context.region', 'equal', region),
]
