import { type AlertSize, labelCount, labelsOf } from './alerts.ts'
import { alertNames, type Fleet, ipAddress, type Service, serviceAt, severities } from './fleet.ts'
import type { Random } from './random.ts'
import { type Condition, where } from './rule.ts'

/** A set whose rules all use one operator: nothing else in them could narrow the candidates. */
export interface SingleKind {
  /** What its rules ask, and why an alert matches few of them. */
  readonly about: string
  /** The alerts that have the fields in question; small when not said. */
  readonly alerts?: AlertSize
  conditions(service: Service, random: Random, place: { readonly fleet: Fleet; readonly index: number }): Condition[]
}

const word = (random: Random) => random.pick(alertNames)[1]
const twoWords = (random: Random) => twoOf(random, alertNames).map(([, words]) => words)

/** Two different ones that follow each other. */
function twoOf<Item>(random: Random, items: readonly Item[]): Item[] {
  const first = random.below(items.length)
  return [items[first]!, items[(first + 1) % items.length]!]
}

const equalSource = ({ source }: Service) => where('source', 'equal', source)
const highestThreshold = 1_000_000

const onScalars: Record<string, SingleKind> = {
  equal: {
    about: 'source and severity: each source has 5 rules',
    conditions: (service, random) => [equalSource(service), where('severity', 'equal', random.pick(severities))],
  },
  notEqual: {
    about:
      'notEqual, notIn and doesNotContain beside an equality of the source, without which each would match nearly all',
    conditions: (service, random) => [
      equalSource(service),
      where('severity', 'notIn', twoOf(random, severities)),
      where('name', 'notEqual', random.pick(alertNames)[0]),
      where('context.tags', 'doesNotContain', random.pick(['prod', 'test'])),
    ],
  },
  in: {
    about: 'two sources and two severities: each source is in 10 rules',
    conditions: ({ index, source }, random, { fleet }) => [
      where('source', 'in', [source, serviceAt(fleet, index + 1).source]),
      where('severity', 'in', twoOf(random, severities)),
    ],
  },
  numeric: {
    about: 'one bound each, up and down; the thresholds lie evenly up to 1,000,000 away, the values mostly within 500',
    alerts: 'large',
    conditions: (_, random) => {
      const distance = random.below(highestThreshold)
      return random.chance(0.5)
        ? [where('context.latency_ms', random.pick(['greaterThan', 'greaterThanInclusive']), distance)]
        : [where('context.free_mb', random.pick(['lessThan', 'lessThanInclusive']), highestThreshold - distance)]
    },
  },
  band: {
    about: 'a lower and an upper bound on one field, as two clauses, each of which half of the alerts fulfil',
    conditions: ({ firstAccount }, random) => [
      where('context.account', 'greaterThanInclusive', firstAccount + random.below(5)),
      where('context.account', 'lessThan', firstAccount + 5 + random.below(5)),
    ],
  },
  between: {
    about: 'a range of account numbers of one service',
    conditions: ({ firstAccount }, random) => [
      where('context.account', 'between', [firstAccount + random.below(5), firstAccount + 5 + random.below(5)]),
    ],
  },
  cidr: {
    about: 'a block of 16 to 2 addresses of one service',
    conditions: ({ firstIp }, random) => [
      where('context.ip', 'cidr', `${ipAddress(firstIp)}/${random.pick([28, 29, 30, 31])}`),
    ],
  },
}

const onText: Record<string, SingleKind> = {
  startsWith: {
    about: 'a message of one service, mostly about one thing',
    conditions: ({ subject }, random) => [
      where('context.message', 'startsWith', random.chance(0.2) ? subject : subject + word(random)),
    ],
  },
  endsWith: {
    about: 'the hosts of one service, or one of them',
    conditions: ({ domain }, random) => [
      where('context.host', 'endsWith', random.chance(0.5) ? domain : `n${random.below(16)}${domain}`),
    ],
  },
  wildcardPrefix: {
    about: 'text*: what a message of one service starts with',
    conditions: ({ subject }, random) => [where('context.message', 'wildcard', `${subject}${word(random)}*`)],
  },
  wildcardInfix: {
    about: '*text*: service and region somewhere in the message, half of them with a second text further on',
    conditions: ({ subject }, random) => [
      where('context.message', 'wildcard', `*${subject}*${random.chance(0.5) ? `${word(random)}*` : ''}`),
    ],
  },
  matches: {
    about: 'a regular expression on the message of one service that starts with plain text',
    conditions: ({ subject }, random) => [
      where('context.message', 'matches', `${subject}(${twoWords(random).join('|')}) [0-9.]+ over .*`),
    ],
  },
  matchesInfix: {
    about: 'a regular expression on the message of one service whose plain text stands in the middle',
    conditions: ({ subject }, random) => [
      where('context.message', 'matches', `.*${subject}(${twoWords(random).join('|')}) [0-9]+\\.?[0-9]* over.*`),
    ],
  },
  matchesIgnoreCase: {
    about: 'the same as matches in capitals, with (?i)',
    conditions: ({ subject }, random) => {
      const pattern = `${subject}(${twoWords(random).join('|')}) [0-9.]+ over .*`
      return [where('context.message', 'matches', `(?i)${pattern.toUpperCase()}`)]
    },
  },
  equalsIgnoreCase: {
    about: 'source in capitals, name in capitals',
    conditions: ({ source }, random) => [
      where('source', 'equalsIgnoreCase', source.toUpperCase()),
      where('name', 'equalsIgnoreCase', random.pick(alertNames)[0].toUpperCase()),
    ],
  },
}

const onStructure: Record<string, SingleKind> = {
  exists: {
    about:
      'two of 200 labels there and a third not; a service has three, and every fifth rule names two of one service',
    alerts: 'large',
    conditions: ({ index }, random) => {
      const anyLabel = () => `label-${random.below(labelCount)}`
      const [first, second] = random.chance(0.2) ? twoOf(random, labelsOf(index)) : [anyLabel(), anyLabel()]
      const label = (name = '', there = true) => where(`context.kubernetes.labels.${name}`, 'exists', there)
      return [label(first), label(second), label(anyLabel(), false)]
    },
  },
  contains: {
    about: 'the tags of one team, and prod or test',
    conditions: ({ team }, random) => [
      where('context.tags', 'contains', team),
      where('context.tags', 'contains', random.pick(['prod', 'test'])),
    ],
  },
  someFact: {
    about: 'someFact:equal and someFact:startsWith on the tags of one team',
    conditions: ({ team }, random) => [
      where('context.tags', 'someFact:equal', team),
      where('context.tags', 'someFact:startsWith', random.pick(['prod', 'test'])),
    ],
  },
  someValue: {
    about: 'someValue:startsWith: a message of one service about one of two things',
    conditions: ({ subject }, random) => [
      where(
        'context.message',
        'someValue:startsWith',
        twoWords(random).map(words => subject + words),
      ),
    ],
  },
  element: {
    about: 'one disk of one service, filled over a bound',
    alerts: 'large',
    conditions: ({ name, region }, random) => [
      where('context.disks', 'element', {
        all: [
          { field: 'mount', operator: 'equal', value: `/${random.pick(['data', 'logs'])}/${region}/${name}` },
          { field: 'used_percent', operator: 'greaterThan', value: random.below(100) },
        ],
      }),
    ],
  },
  any: {
    about: 'any of: the source, an account number, a host of other services',
    conditions: (service, random, { fleet, index }) => {
      const other = serviceAt(fleet, index + 1)
      const host = where('context.host', 'equal', `n${random.below(16)}${other.domain}`)
      return [{ any: [equalSource(service), where('context.account', 'equal', other.firstAccount), host] }]
    },
  },
  not: {
    about: 'nothing but not: the source is no other one, the severity none of some',
    conditions: ({ source }, random) => {
      const otherSource = where('source', 'notEqual', source)
      const wrongSeverity = where('severity', 'in', twoOf(random, severities))
      return random.chance(0.5)
        ? [{ not: otherSource }, { not: wrongSeverity }]
        : [{ not: { any: [otherSource, wrongSeverity] } }]
    },
  },
}

export const singleKinds: Readonly<Record<string, SingleKind>> = { ...onScalars, ...onText, ...onStructure }
