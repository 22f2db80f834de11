import fc from 'fast-check'
import { type Decorator, decoratorNames } from '../src/decorators.ts'
import { limits } from '../src/language.ts'
import { fieldName, json, namedJson, object, scalar } from './values.ts'

export interface GeneratedOperator {
  operator: string
  value: unknown
}

/** A clause's value must not be a fact: the engine would look it up. */
const namesNoFact = ({ value }: GeneratedOperator) =>
  !(typeof value === 'object' && value !== null && Object.hasOwn(value, 'fact'))

const step = fc.oneof(
  fieldName.map(name => `.${name}`),
  fieldName.map(name => `['${name}']`),
  fc.constantFrom('[0]', '[1]'),
)
export const path = fc.array(step, { maxLength: 3 }).map(steps => `$${steps.join('')}`)

function grouped(clause: fc.Arbitrary<object>): fc.Arbitrary<object> {
  return fc.letrec<{ node: object; group: object }>(tie => ({
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 3, arbitrary: clause },
      { weight: 2, arbitrary: tie('group') },
    ),
    group: withMore(
      fc.oneof(
        fc.array(tie('node'), { maxLength: 3 }).map(all => ({ all })),
        fc.array(tie('node'), { maxLength: 3 }).map(any => ({ any })),
        tie('node').map(not => ({ not })),
      ),
    ),
  })).group
}

/** Members that have no effect, those above all that mean something elsewhere: in a clause, in an element, to the engine. */
const more = fc.dictionary(
  fc.constantFrom('operator', 'fact', 'field', 'value', 'comment', 'evaluate', 'toJSON', 'result'),
  fc.constantFrom<unknown>('equal', 'and', 'name', 'a', '$.a', 1, null, true, { fact: 'name' }, { all: [] }),
  { minKeys: 1, maxKeys: 3 },
)

function withMore(node: fc.Arbitrary<object>): fc.Arbitrary<object> {
  return fc
    .tuple(node, fc.oneof({ weight: 7, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: more }))
    .map(([known, unknown]) => ({ ...unknown, ...known }))
}

function withPath<Place extends object>(place: fc.Arbitrary<Place>, asked: fc.Arbitrary<GeneratedOperator>) {
  const where = fc.option(path, { nil: undefined })
  const clause = fc.tuple(place, asked.filter(namesNoFact), where).map(([at, { operator, value }, to]): object => ({
    ...at,
    ...(to === undefined ? {} : { path: to }),
    operator,
    value,
  }))
  return withMore(clause)
}

/** What each operator may name. `any` is said of the engine's, which take whatever there is. */
const pieces = fc.array(fc.constantFrom('a', 'b', '*', '\\*', '\\\\', 'ab', 'A', '10', '😀'), { maxLength: 5 })
const patterns = fc.constantFrom(
  'a',
  'a.*',
  '.*b',
  '[ab]+',
  '(?i)AB?C*',
  '\\d+',
  '(?s).*',
  '',
  'a|ab|abc',
  '\\x{1F600}',
  'ſ|ß',
  '(?i)K',
  '(?i)[^s]|ẞ.*',
  '(?i).*b.*',
  '(?s)a.*',
  'a\\tb?',
)
const bound = fc.constantFrom(-1, 0, 1, 9, 9.5, 10, 11, 1e3)
const networks = fc.constantFrom(
  '10.0.0.0/8',
  '10.0.0.0/31',
  '10.0.0.1',
  '0.0.0.0/0',
  '::/0',
  '::1',
  '2001:db8::/32',
  '::ffff:10.0.0.0/104',
)
const text = fc.constantFrom('', 'a', 'ab', 'abc', 'A', 'AB', 'ß', 'ẞ', 's', 'k', 'ı', 'i', '10', '😀', '\ud800')

const namedBy: Record<string, fc.Arbitrary<unknown>> = {
  in: fc.array(namedJson, { maxLength: 12 }),
  notIn: fc.array(namedJson, { maxLength: 12 }),
  startsWith: text,
  endsWith: text,
  equalsIgnoreCase: text,
  wildcard: pieces.map(parts => parts.join('')),
  matches: patterns,
  exists: fc.boolean(),
  between: fc.tuple(bound, bound),
  cidr: fc.oneof(networks, fc.array(networks, { maxLength: 4 })),
}

const scalarOperators = ['equal', 'notEqual', 'contains', 'doesNotContain']
const orderOperators = ['lessThan', 'lessThanInclusive', 'greaterThan', 'greaterThanInclusive']
const kept = ['in', 'notIn', 'equal', 'notEqual', 'contains', 'doesNotContain', ...orderOperators]

/** Where an alert may not bring the right side, `swap` may not stand. */
const swappable = new Set([...kept, 'startsWith', 'endsWith', 'equalsIgnoreCase'])

const decorators = (base: string): fc.Arbitrary<Decorator[]> =>
  fc.oneof(
    { weight: 4, arbitrary: fc.constant<Decorator[]>([]) },
    {
      weight: 3,
      arbitrary: fc.array(fc.constantFrom(...decoratorNames.filter(name => name !== 'swap' || swappable.has(base))), {
        minLength: 1,
        maxLength: 3,
      }),
    },
  )

/** The value that a chain of decorators asks for, around the value that the operator asks for. */
function decorated(
  chain: readonly Decorator[],
  named: fc.Arbitrary<unknown>,
  side: 'left' | 'right',
): fc.Arbitrary<unknown> {
  const [outermost, ...rest] = chain
  // On the left there is what the alert would bring.
  if (outermost === undefined) return side === 'right' ? named : fc.oneof(namedJson, text)
  if (outermost === 'swap') return decorated(rest, named, side === 'right' ? 'left' : 'right')
  const inner = decorated(rest, named, side)
  const walks = side === 'right' ? outermost.endsWith('Value') : outermost.endsWith('Fact')
  return walks ? fc.array(inner, { maxLength: 3 }) : inner
}

function withDecorators(base: string, named: fc.Arbitrary<unknown>): fc.Arbitrary<GeneratedOperator> {
  return decorators(base).chain(chain =>
    decorated(chain, named, 'right').map(value => ({ operator: [...chain, base].join(':'), value })),
  )
}

/** An operator of the language with any decorators and a value that validation accepts. */
export const operatorAndValue: fc.Arbitrary<GeneratedOperator> = fc.letrec<{ any: GeneratedOperator }>(tie => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    ...scalarOperators.map(name => withDecorators(name, fc.oneof({ weight: 5, arbitrary: scalar }, namedJson))),
    ...orderOperators.map(name => withDecorators(name, fc.oneof({ weight: 3, arbitrary: bound }, scalar, namedJson))),
    ...Object.entries(namedBy).map(([name, named]) => withDecorators(name, named)),
    withDecorators('element', conditionsOfElements(tie('any'))),
  ),
})).any

function conditionsOfElements(asked: fc.Arbitrary<GeneratedOperator>): fc.Arbitrary<object> {
  return grouped(
    withPath(
      fieldName.map(field => ({ field })),
      asked,
    ),
  )
}

/** What the operator `element` names. */
export const elementConditions = conditionsOfElements(operatorAndValue)

export const factName = fc.constantFrom('severity', 'source', 'name', 'context', 'missing', '__proto__', 'constructor')

export const clause = withPath(
  fc.oneof({ weight: 2, arbitrary: fc.constant('context') }, factName).map(fact => ({ fact })),
  operatorAndValue,
)

/** Conditions in every operator, decorator and nesting, all of which validation accepts. */
export const conditions = grouped(clause).filter(rule => levels(rule) <= limits.depth)

/** At least as many as validation counts: the objects in plain values are counted too. */
function levels(node: unknown): number {
  if (typeof node !== 'object' || node === null) return 0
  const deepest = Math.max(0, ...Object.values(node).map(levels))
  return Array.isArray(node) ? deepest : deepest + 1
}

/** Alerts that come near to what the conditions above name. */
export const alerts: fc.Arbitrary<Record<string, unknown>> = fc
  .record({
    severity: fc.constantFrom('LOW', 'HIGH', 'a', '10'),
    source: scalar,
    name: fc.oneof(scalar, json),
    context: fc.oneof({ weight: 4, arbitrary: object(json) }, fc.array(object(json), { maxLength: 3 })),
    extra: fc.option(json, { nil: undefined }),
  })
  .map(({ extra, ...alert }) => {
    // JSON may bring an own `__proto__` at the top as well.
    if (extra !== undefined) Object.defineProperty(alert, '__proto__', { value: extra, enumerable: true })
    return alert
  })
