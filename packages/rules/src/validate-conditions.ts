import type { Problem } from '@tocsin/contracts/errors'
import { Rule } from 'json-rules-engine'
import { type Conditions, limits } from './language.ts'
import { operatorNames, splitOperator } from './operators.ts'
import { parsePath } from './path.ts'

export type ValidatedConditions = { conditions: Conditions } | { problems: Problem[] }

const groups = ['all', 'any', 'not'] as const
const clauseFields = new Set(['fact', 'operator', 'value', 'path', 'name'])
const groupFields = new Set([...groups, 'name'])

/** Members that json-rules-engine knows and that would make a rule depend on more than the alert. */
const refusedFields = new Map([
  ['condition', 'shared conditions are not supported'],
  ['priority', 'priorities are not supported: they would not change the verdict'],
  ['params', 'facts take no parameters'],
])

/** Checks a rule's `conditions` as it is written. Pointers are relative to the conditions. */
export function validateConditions(conditions: unknown): ValidatedConditions {
  const problems: Problem[] = []
  let clauses = 0
  const add = (pointer: string, code: string, message: string) => problems.push({ pointer, code, message })

  const checkFields = (node: Record<string, unknown>, known: ReadonlySet<string>, pointer: string) => {
    for (const field of Object.keys(node)) {
      const refused = refusedFields.get(field)
      if (refused !== undefined) add(`${pointer}/${field}`, 'not_supported', refused)
      else if (!known.has(field)) add(`${pointer}/${field}`, 'unknown_field', 'is not a known field')
    }
  }

  const checkGroup = (
    node: Record<string, unknown>,
    group: (typeof groups)[number],
    pointer: string,
    depth: number,
  ) => {
    checkFields(node, groupFields, pointer)
    const inner = node[group]
    const at = `${pointer}/${group}`
    if (group === 'not') return checkNode(inner, at, depth + 1)
    if (!Array.isArray(inner)) return add(at, 'not_an_array', 'must be an array of conditions')
    for (const [index, child] of inner.entries()) checkNode(child, `${at}/${index}`, depth + 1)
  }

  const checkClause = (node: Record<string, unknown>, pointer: string) => {
    clauses++
    checkFields(node, clauseFields, pointer)
    const { fact, operator, value, path } = node
    if (typeof fact !== 'string' || fact === '') add(`${pointer}/fact`, 'required', 'must name a field of the alert')
    if (typeof operator !== 'string' || splitOperator(operator) === undefined) {
      add(`${pointer}/operator`, 'unknown_operator', `must be one of ${operatorNames.join(', ')}`)
    }
    if (!Object.hasOwn(node, 'value')) add(`${pointer}/value`, 'required', 'must be given')
    else if (isObject(value) && Object.hasOwn(value, 'fact'))
      add(`${pointer}/value`, 'not_supported', 'cannot be another fact')
    else if ((operator === 'in' || operator === 'notIn') && !Array.isArray(value)) {
      add(`${pointer}/value`, 'not_an_array', `must be an array for ${operator}`)
    }
    if (path !== undefined) checkPath(path, `${pointer}/path`)
  }

  const checkPath = (path: unknown, pointer: string) => {
    const parsed = typeof path === 'string' ? parsePath(path) : { problem: 'must be a string' }
    if ('problem' in parsed) add(pointer, 'bad_path', parsed.problem)
  }

  const checkNode = (node: unknown, pointer: string, depth: number): void => {
    if (!isObject(node)) return void add(pointer, 'not_an_object', 'must be an object with all, any, not or a clause')
    if (depth > limits.depth) return void add(pointer, 'too_deep', `is nested deeper than ${limits.depth} levels`)
    const present = groups.filter(group => Object.hasOwn(node, group))
    if (present.length > 1)
      add(pointer, 'ambiguous', `has ${present.join(' and ')}: only one of all, any and not may stand here`)
    else if (present[0] !== undefined) checkGroup(node, present[0], pointer, depth)
    else if (depth > 1) checkClause(node, pointer)
    else add(pointer, 'no_group', 'must have one of all, any or not at the top')
  }

  checkNode(conditions, '', 1)
  if (clauses > limits.clauses) add('', 'too_many_clauses', `has ${clauses} clauses; ${limits.clauses} are allowed`)
  if (problems.length === 0) checkSize(conditions, add)
  if (problems.length > 0) return { problems }
  // The engine has the last word: what it refuses to build could not be explained by it later.
  new Rule({ conditions: conditions as never, event: { type: 'match' } })
  return { conditions: conditions as Conditions }
}

function checkSize(conditions: unknown, add: (pointer: string, code: string, message: string) => void): void {
  const size = JSON.stringify(conditions).length
  if (size > limits.size) add('', 'too_large', `is ${size} characters of JSON; ${limits.size} are allowed`)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
