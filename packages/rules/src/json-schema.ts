import { z } from 'zod'
import { decoratorNames } from './decorators.ts'
import { limits } from './language.ts'
import { operatorNames } from './operators.ts'
import { pathPattern } from './path.ts'
import { anyValueOperators, listOf, swappable, type ValueKind, valueKinds } from './value-kinds.ts'

const refused = z.never().optional()
const one = (names: Iterable<string>) => `(?:${[...names].join('|')})`

/** Decorators that hand the named value on as it is. */
const keeping = one(['not', 'someFact', 'everyFact'])
const walking = one(['someValue', 'everyValue'])
const any = one(decoratorNames)
/** Looked at first, so that the expressions behind it need not count. */
const countedDecorators = `^(?=(?:[a-zA-Z]+:){1,${limits.decorators}}[a-zA-Z]+$)`

const decorated = (source: string) => z.string().regex(new RegExp(`${countedDecorators}${source}$`))

/** The engine would look up another fact. */
const noFact = z.looseObject({ fact: refused })
const anyValue = z.union([z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.unknown())]), noFact])

/** Which value goes with which operators: a table of pairs. */
function askings(elementConditions: z.ZodType): { operator: z.ZodType; value: z.ZodType }[] {
  const kinds: Pick<ValueKind, 'schema' | 'operators'>[] = [
    { schema: anyValue, operators: anyValueOperators },
    ...Object.values(valueKinds),
    { schema: z.intersection(elementConditions, noFact), operators: ['element'] },
  ]
  const walked = listOf(z.unknown(), 0, limits.walkedListLength)
  return [
    ...kinds.map(({ schema, operators }) => ({
      operator: z.union([z.enum(operators), decorated(`(?:${keeping}:)*${one(operators)}`)]),
      value: schema,
    })),
    // What stands in the array is told by validation only: it depends on the decorators that follow.
    { operator: decorated(`(?:${keeping}:)*${walking}:(?!.*swap:)(?:${any}:)*${one(operatorNames)}`), value: walked },
    { operator: decorated(`(?=.*swap:)(?:${any}:)+${one(swappable)}`), value: anyValue },
    { operator: decorated(`(?=.*swap:.*swap:)(?:${any}:)+${one(operatorNames)}`), value: anyValue },
  ]
}

const path = z.string().regex(pathPattern).describe("A place inside: $ and then any of .name, ['name'] and [n].")

/** Clauses about a `fact` or a `field`, and the groups of them. */
function grammar(place: 'fact' | 'field', elementConditions: z.ZodType): z.ZodType {
  const never = Object.fromEntries(
    ['all', 'any', 'not', 'condition', 'priority', 'params'].map(name => [name, refused]),
  )
  const clause = z.union(
    askings(elementConditions).map(({ operator, value }) =>
      z.looseObject({ ...never, [place]: z.string().min(1), operator, value, path: path.optional() }),
    ),
  )
  const node: z.ZodType = z.lazy(() => z.union([group, clause]))
  const groupOf = (name: 'all' | 'any' | 'not', inner: z.ZodType) => z.looseObject({ ...never, [name]: inner })
  const group = z.union([groupOf('all', z.array(node)), groupOf('any', z.array(node)), groupOf('not', node)])
  return group
}

const elementGroup: z.ZodType = z.lazy(() => grammarOfElements)
const grammarOfElements = grammar('field', elementGroup)

/**
 * The language by its shapes. What only validation sees: depth, cost, patterns, networks, names in paths, members called
 * `__proto__`, and what a value must be behind a decorator that walks or swaps.
 */
export const conditionsSchema = grammar('fact', elementGroup).describe(
  'The conditions of a rule: one of all, any and not, with clauses inside. All that is accepted has this form; not all of this form is accepted.',
)

/** The language as a JSON Schema (draft 2020-12), for editors. */
export function createJsonSchema(): object {
  return {
    title: 'Conditions of a Tocsin rule',
    ...z.toJSONSchema(conditionsSchema, { target: 'draft-2020-12', reused: 'ref' }),
  }
}
