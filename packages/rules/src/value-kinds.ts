import { z } from 'zod'
import { limits, type ProblemCode } from './language.ts'

/** What an operator may be given as its value. Validation and the JSON Schema both come from here. */
export interface ValueKind {
  schema: z.ZodType
  code: ProblemCode
  message: string
  operators: readonly string[]
}

/** Zod's own limits look at the `length` of whatever has one, and throw on an object whose length is no number. */
export const listOf = (member: z.ZodType, least: number, most: number) =>
  z
    .array(member)
    .refine(list => list.length >= least && list.length <= most)
    .meta({ ...(least > 0 ? { minItems: least } : {}), maxItems: most })

const list = (member: z.ZodType) => listOf(member, 0, limits.listLength)

export const valueKinds = {
  list: {
    schema: list(z.unknown()),
    code: 'not_an_array',
    message: 'must be an array of the values to look among',
    operators: ['in', 'notIn'],
  },
  text: {
    schema: z.string(),
    code: 'not_a_string',
    message: 'must be a string',
    operators: ['startsWith', 'endsWith', 'equalsIgnoreCase', 'wildcard', 'matches'],
  },
  flag: { schema: z.boolean(), code: 'not_a_boolean', message: 'must be true or false', operators: ['exists'] },
  bounds: {
    schema: listOf(z.number(), 2, 2),
    code: 'bad_bounds',
    message: 'must be [low, high], two numbers',
    operators: ['between'],
  },
  networks: {
    schema: z.union([z.string(), list(z.string())]),
    code: 'bad_network',
    message: 'must be a network such as 10.0.0.0/8, or an array of networks',
    operators: ['cidr'],
  },
} as const satisfies Record<string, ValueKind>

/** Operators that take any value: json-rules-engine's, but for the two that search in it. */
export const anyValueOperators: readonly string[] = [
  ...['equal', 'notEqual', 'contains', 'doesNotContain'],
  ...['lessThan', 'lessThanInclusive', 'greaterThan', 'greaterThanInclusive'],
]

const kindByOperator = new Map<string, ValueKind>(
  Object.values(valueKinds).flatMap((kind: ValueKind) => kind.operators.map(operator => [operator, kind] as const)),
)

/** Undefined where any value will do, and for `element`, whose value is conditions. */
export const kindOf = (operator: string): ValueKind | undefined => kindByOperator.get(operator)

/**
 * Operators before which `swap` may stand. The others take something that is prepared when the rule is written: a
 * pattern or a network that an alert brings would be checked by nobody.
 */
export const swappable: ReadonlySet<string> = new Set([
  ...anyValueOperators,
  ...['in', 'notIn', 'startsWith', 'endsWith', 'equalsIgnoreCase'],
])
