import { createMatcher } from '@tocsin/rules'
import { Engine } from 'json-rules-engine'
import type { Match } from './measure.ts'
import { plainOperators } from './plain-language.ts'

/** An engine that lives in a Node process: rules go in as JSON, then alerts as JSON. */
export interface NodeEngine {
  add(id: string, conditions: string): void
  readonly match: Match
}

export const nodeEngines = {
  parse: parseAlone,
  tocsin,
  'json-rules-engine': jsonRulesEngine,
} as const satisfies Record<string, () => NodeEngine>

/** No rules at all: what the other engines in JavaScript cannot go below. */
function parseAlone(): NodeEngine {
  const none: string[] = []
  return {
    add: () => {},
    match(alert) {
      JSON.parse(alert)
      return none
    },
  }
}

function tocsin(): NodeEngine {
  const matcher = createMatcher({ validated: true }) // as the evaluator has it
  return {
    add: (id, conditions) => matcher.add({ id, conditions: JSON.parse(conditions) }),
    match: alert => matcher.match(JSON.parse(alert)),
  }
}

function jsonRulesEngine(): NodeEngine {
  const engine = new Engine([], { allowUndefinedFacts: true })
  for (const [name, holds] of Object.entries(plainOperators)) {
    engine.addOperator(name, (found: unknown, named: unknown) => holds(found as never, named as never))
  }
  return {
    add: (id, conditions) => void engine.addRule({ conditions: JSON.parse(conditions), event: { type: id } }),
    match: async alert => (await engine.run(JSON.parse(alert))).events.map(({ type }) => type),
  }
}
