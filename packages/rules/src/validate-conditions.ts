import { type Problem, pointerOf } from '@tocsin/contracts/errors'
import { Rule } from 'json-rules-engine'
import { knownMembers } from './engine.ts'
import { Findings } from './findings.ts'
import { type Group, groupNames, groupOf } from './group.ts'
import { hasMembers, isObject } from './json-kinds.ts'
import { type Conditions, limits, type Place } from './language.ts'
import { warnOfField, warnOfPlace, warnOfWholeContext } from './odd-values.ts'
import { type Asked, operatorNames, splitOperator } from './operators.ts'
import { parsePath } from './path.ts'
import { validateValue } from './validate-value.ts'

/** Warnings are problems that do not stop a rule: it may say something else than its author means. */
export type ValidatedConditions = { conditions: Conditions; warnings: Problem[] } | { problems: Problem[] }

type Node = Record<string, unknown>

const groupMembers = new Set<string>([...groupNames, 'name'])

/** Members that json-rules-engine knows and that would make a rule depend on more than the alert. */
const refusedMembers = new Map([
  ['condition', 'is not supported: a rule stands for itself'],
  ['priority', 'is not supported: it would not change the verdict'],
  ['params', 'is not supported: facts take no parameters'],
])

/** Checks a rule's `conditions` as it is written. Pointers are relative to the conditions. */
export function validateConditions(conditions: unknown): ValidatedConditions {
  // First of all: below this, nothing runs out of stack, and nothing takes long however often it goes through it all.
  const tooMuch = problemOfWhole(conditions)
  if (tooMuch !== undefined) return { problems: [{ pointer: '', ...tooMuch }] }
  const walk = new Walk()
  walk.top(conditions, '', 1, 'fact')
  const { findings } = walk
  if (walk.clauses > limits.clauses) {
    const counted = `at least ${walk.clauses} clauses, with each member of a walked list as one`
    findings.problem('', 'too_many_clauses', `has ${counted}; ${limits.clauses} are allowed`)
  }
  checkPrototypes(findings, conditions, '')
  if (findings.problems.length > 0) return { problems: findings.problems }
  // The engine has the last word: what it refuses to build could not be explained by it later.
  new Rule({ conditions: knownMembers(conditions as Node) as never, event: { type: 'match' } })
  return { conditions: conditions as Conditions, warnings: findings.warnings }
}

class Walk {
  readonly findings = new Findings()
  clauses = 0

  node(node: unknown, pointer: string, depth: number, place: Place): void {
    const { findings } = this
    if (!isObject(node)) {
      return void findings.problem(pointer, 'not_an_object', 'must be an object with all, any, not or a clause')
    }
    if (depth > limits.depth) {
      return void findings.problem(pointer, 'too_deep', `is nested deeper than ${limits.depth} levels`)
    }
    const present = groupNames.filter(name => Object.hasOwn(node, name))
    if (present.length > 1) {
      const which = present.join(' and ')
      return void findings.problem(pointer, 'ambiguous', `has ${which}: only one of all, any and not may stand here`)
    }
    const group = groupOf(node)
    if (group === undefined) this.#clause(node, pointer, depth, place)
    else this.#group(node, group, pointer, depth, place)
  }

  /** The top of a rule, and of the value of `element`: a group, never a bare clause. */
  top(node: unknown, pointer: string, depth: number, place: Place): void {
    if (!isObject(node) || groupOf(node) !== undefined) this.node(node, pointer, depth, place)
    else this.findings.problem(pointer, 'no_group', 'must have one of all, any or not at the top')
  }

  #group(node: Node, { name, parts }: Group<Node>, pointer: string, depth: number, place: Place): void {
    this.#members(node, groupMembers, pointer)
    const at = `${pointer}/${name}`
    if (name === 'not') return void this.node(parts[0], at, depth + 1, place)
    if (!Array.isArray(parts)) return void this.findings.problem(at, 'not_an_array', 'must be an array of conditions')
    if (parts.length === 0) this.findings.warning(at, 'empty_group', `is empty, and an empty ${name} always holds`)
    for (const [index, child] of parts.entries()) this.node(child, `${at}/${index}`, depth + 1, place)
  }

  #members(node: Node, known: ReadonlySet<string>, pointer: string): void {
    for (const name of Object.keys(node)) {
      const at = pointer + pointerOf([name])
      const refused = refusedMembers.get(name)
      if (refused !== undefined) this.findings.problem(at, 'not_supported', refused)
      else if (!known.has(name)) this.findings.warning(at, 'unknown_field', 'is not a known field and has no effect')
    }
  }

  #clause(node: Node, pointer: string, depth: number, place: Place): void {
    // Beyond the limit clauses are only counted.
    if (++this.clauses > limits.clauses) return
    const { findings } = this
    this.#members(node, new Set([place, 'operator', 'value', 'path', 'name']), pointer)
    const { operator, path } = node
    const named = node[place]
    if (typeof named !== 'string' || named === '') {
      const what = place === 'fact' ? 'the alert' : 'the element'
      findings.problem(`${pointer}/${place}`, 'required', `must name a field of ${what}`)
    }
    const asked = this.#operator(operator, `${pointer}/operator`)
    if (path !== undefined) this.#path(path, `${pointer}/path`)
    if (!Object.hasOwn(node, 'value')) findings.problem(`${pointer}/value`, 'required', 'must be given')
    else if (asked !== undefined) this.#value(node, asked, pointer, depth)
    if (place === 'fact' && typeof named === 'string' && named !== '') this.#doubts(node, asked, pointer)
  }

  #operator(operator: unknown, pointer: string): Asked | undefined {
    const parts = typeof operator === 'string' ? splitOperator(operator) : undefined
    if (parts === undefined) {
      const known = operatorNames.join(', ')
      this.findings.problem(pointer, 'unknown_operator', `must be one of ${known}, or one of them behind decorators`)
    } else if (parts.decorators.length > limits.decorators) {
      const count = parts.decorators.length
      this.findings.problem(pointer, 'too_costly', `has ${count} decorators; ${limits.decorators} are allowed`)
    } else return parts
    return undefined
  }

  #path(path: unknown, pointer: string): void {
    const parsed = typeof path === 'string' ? parsePath(path) : { problem: 'must be a string' }
    if ('problem' in parsed) this.findings.problem(pointer, 'bad_path', parsed.problem)
  }

  #value({ value }: Node, asked: Asked, pointer: string, depth: number): void {
    const at = `${pointer}/value`
    if (isObject(value) && Object.hasOwn(value, 'fact')) {
      this.findings.problem(at, 'not_supported', 'cannot be another fact')
    } else {
      const element = (nested: unknown, where: string) => this.top(nested, where, depth + 1, 'field')
      validateValue({ findings: this.findings, element, walks: members => this.#walks(members) }, asked, value, at)
    }
  }

  /** A clause asks as many questions as there are members; returns whether there is room for them. */
  #walks(members: number): boolean {
    this.clauses += Math.max(0, members - 1)
    return this.clauses <= limits.clauses
  }

  #doubts(node: Node, asked: Asked | undefined, pointer: string): void {
    const { fact, path, value } = node as { fact: string; path: string | undefined; value: unknown }
    warnOfPlace(this.findings, fact, path, pointer)
    if (asked === undefined || asked.decorators.length > 0) return
    warnOfField(this.findings, fact, asked.base, value, `${pointer}/value`)
    if (fact === 'context' && (path === undefined || path === '$'))
      warnOfWholeContext(this.findings, asked.base, pointer)
  }
}

function problemOfWhole(conditions: unknown): { code: 'too_deep' | 'too_large'; message: string } | undefined {
  if (isDeeperThan(limits.jsonDepth, conditions)) {
    return { code: 'too_deep', message: `has values nested deeper than ${limits.jsonDepth} levels` }
  }
  const size = JSON.stringify(conditions)?.length ?? 0
  if (size <= limits.size) return undefined
  return { code: 'too_large', message: `is ${size} characters of JSON; ${limits.size} are allowed` }
}

function isDeeperThan(levels: number, value: unknown): boolean {
  if (!hasMembers(value)) return false
  return levels === 0 || Object.values(value).some(child => isDeeperThan(levels - 1, child))
}

/** The engine copies a rule for every alert, and such a member would be the prototype of the copy: another value. */
function checkPrototypes(findings: Findings, value: unknown, pointer: string): void {
  if (!hasMembers(value)) return
  for (const [name, child] of Object.entries(value)) {
    const at = pointer + pointerOf([name])
    if (name === '__proto__') findings.problem(at, 'not_supported', 'is not supported: copies would change their kind')
    else checkPrototypes(findings, child, at)
  }
}
