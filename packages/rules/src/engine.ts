import { Engine, type EngineOptions, type RuleResult } from 'json-rules-engine'
import { groupOf } from './group.ts'
import type { Place } from './language.ts'
import type { Operator } from './operator.ts'
import { operatorNamed, operatorNames } from './operators.ts'

type EngineOperator = { evaluate(found: unknown, named: unknown): boolean }
type OperatorMap = { get(name: string): EngineOperator | null }

export interface EngineRule {
  id: string
  /** They have passed `validateConditions`. */
  conditions: object
  /** `field` for conditions of elements: to the engine an element is an alert of its own. */
  place?: Place
}

/** json-rules-engine as the product uses it: missing facts allowed, our operators beside its own under its decorators. */
function createEngine(options: EngineOptions = {}): Engine {
  const engine = new Engine([], { ...options, allowUndefinedFacts: true })
  const { operators } = engine as unknown as { operators: OperatorMap }
  for (const name of operatorNames) {
    // Its own operators stay its own: they are what ours are judged by.
    const operator = operators.get(name) === null ? operatorNamed(name) : undefined
    if (operator !== undefined) engine.addOperator(name, throwing(operator))
  }
  return engine
}

/** The engine has no other way to say that it cannot compare. */
const throwing =
  ({ holds }: Operator) =>
  (found: unknown, named: unknown): boolean => {
    const verdict = holds(found, named)
    if (verdict === undefined) throw new TypeError('Cannot convert object to primitive value')
    return verdict
  }

const shared = createEngine()

/** What the engine's operator of this name, decorators included, says to two values; throws where it throws. */
export function askEngine(operator: string, found: unknown, named: unknown): boolean {
  const decorated = (shared as unknown as { operators: OperatorMap }).operators.get(operator)
  if (decorated === null) throw new Error(`unknown operator: ${operator}`)
  return decorated.evaluate(found, named)
}

/**
 * The engine gives up on an alert at the first clause that throws. Here such a clause is false and the others go on,
 * which is the only thing that this adds to its meaning.
 */
function guard(engine: Engine): Engine {
  const { operators } = engine as unknown as { operators: OperatorMap }
  const get = operators.get.bind(operators)
  operators.get = name => {
    const operator = get(name)
    return operator && { evaluate: (found, named) => evaluateOrFalse(operator, found, named) }
  }
  return engine
}

function evaluateOrFalse(operator: EngineOperator, found: unknown, named: unknown): boolean {
  try {
    return operator.evaluate(found, named)
  } catch {
    return false
  }
}

export interface Judge {
  /** The engine's results, one for each rule in their order. */
  results(alert: object): Promise<RuleResult[]>
  /** The ids of the rules that hold, in the order of the rules. */
  match(alert: object): Promise<string[]>
}

/** The verdict of json-rules-engine: slow, and right by definition. One alert at a time: it keeps state while it runs. */
export function createJudge(rules: readonly EngineRule[], options?: EngineOptions): Judge {
  const engine = guard(createEngine(options))
  const facts = new Set<string>()
  // Rules go by their place in the list: the engine would not take an empty name.
  for (const [index, { conditions, place }] of rules.entries()) {
    const known = knownMembers(conditions as Record<string, unknown>, place, facts)
    engine.addRule({ name: `${index}`, conditions: known as never, event: { type: 'match' } })
  }
  const results = async (alert: object) => {
    const { results, failureResults } = await engine.run(factsOf(alert, facts))
    const byPlace = new Map([...results, ...failureResults].map(result => [result.name, result]))
    return rules.map((_, place) => byPlace.get(`${place}`) as RuleResult)
  }
  const match = async (alert: object) => {
    const all = await results(alert)
    return rules.filter((_, place) => all[place]?.result).map(({ id }) => id)
  }
  return { results, match }
}

/** Only the facts that a rule names, and only own ones: the engine would take inherited members and stumble over "". */
function factsOf(alert: object, names: ReadonlySet<string>): Record<string, unknown> {
  // Without a prototype, `__proto__` is a name like any other.
  const facts: Record<string, unknown> = Object.create(null)
  for (const name of names) if (Object.hasOwn(alert, name)) facts[name] = (alert as Record<string, unknown>)[name]
  return facts
}

/**
 * A condition reduced to what has a meaning. The engine copies every member onto an object of its own, where one called
 * `evaluate` would take the place of its method. Notes the facts that the condition names.
 */
export function knownMembers(
  condition: Record<string, unknown>,
  place: Place = 'fact',
  facts = new Set<string>(),
): object {
  const group = groupOf(condition)
  if (group !== undefined) {
    const parts = group.parts.map(part => knownMembers(part, place, facts))
    return { [group.name]: group.name === 'not' ? parts[0] : parts }
  }
  const { [place]: fact, operator, value } = condition
  facts.add(fact as string)
  return { fact, operator, value, ...(Object.hasOwn(condition, 'path') ? { path: condition.path } : {}) }
}
