import { type Problem, problemsOf } from '@tocsin/contracts/errors'
import { type RuleAsRead, ruleConditionsFormSchema, ruleShorthandFormSchema } from '@tocsin/contracts/http'
import { checked, invalid, invalidAt } from '@tocsin/http/problems'
import { type Shorthand, shorthandConditions } from '@tocsin/rules/shorthand'
import { validateConditions } from '@tocsin/rules/validate-conditions'
import { z } from 'zod'
import { mergePatch } from './merge-patch.ts'

/** A rule as it is stored, whichever form it was written in. */
export interface RuleDefinition {
  name: string
  conditions: Record<string, unknown>
  /** As written, when it was the short form. */
  shorthand: Shorthand | null
  endpoints: string[]
  enabled: boolean
  notify_resolved: boolean
}

export function ruleAsRead(rule: RuleDefinition): RuleAsRead {
  const { name, shorthand, conditions, endpoints, enabled, notify_resolved } = rule
  return {
    name,
    ...(shorthand !== null && { severity: shorthand.severity, source: shorthand.source }),
    conditions,
    endpoints,
    enabled,
    notify_resolved,
  }
}

/** Any object, as it is. Its members are looked at by the schema of the form that they belong to. */
export const anyObject = z.custom<Record<string, unknown>>(
  value => typeof value === 'object' && value !== null && !Array.isArray(value),
  { error: 'must be a JSON object' },
)

/** A rule has `conditions`, or is `{severity, source, name}`: there `name` is what the alert must be called. */
export function ruleFrom(body: unknown): RuleDefinition {
  const rule = checked(anyObject, body)
  const hasConditions = Object.hasOwn(rule, 'conditions')
  const hasShorthand = Object.hasOwn(rule, 'severity') || Object.hasOwn(rule, 'source')
  if (hasConditions && hasShorthand) {
    throw invalidAt(
      '',
      'two_forms',
      'has conditions and also severity or source: write a rule in one form or the other',
    )
  }
  if (hasConditions) return conditionsForm(rule)
  if (hasShorthand) return shorthandForm(rule)
  throw invalidAt('', 'no_form', 'needs either conditions, or severity, source and name')
}

/** What each form cannot be without. */
const conditionsMembers = ['name', 'conditions']
const shorthandMembers = ['name', 'severity', 'source']

/** Everything but the conditions, whose language the schema has no say about. */
const besideConditions = ruleConditionsFormSchema.omit({ conditions: true })

function conditionsForm({ conditions, ...beside }: Record<string, unknown>): RuleDefinition {
  // Two judges, all problems at once.
  const parsed = besideConditions.safeParse(beside)
  const validated = validateConditions(conditions)
  const problems = [
    ...(parsed.success ? duplicates(parsed.data.endpoints) : problemsOf(parsed.error)),
    ...('problems' in validated ? validated.problems.map(below('/conditions')) : []),
  ]
  if (!parsed.success || 'problems' in validated || problems.length > 0) throw invalid(problems)
  return { ...parsed.data, conditions: { ...validated.conditions }, shorthand: null }
}

function shorthandForm(rule: Record<string, unknown>): RuleDefinition {
  const { severity, source, name, ...settings } = checked(ruleShorthandFormSchema, rule)
  const shorthand = { severity, source, name }
  const normalised = shorthandConditions(shorthand)
  const problems = [...duplicates(settings.endpoints), ...('problems' in normalised ? normalised.problems : [])]
  if ('problems' in normalised || problems.length > 0) throw invalid(problems)
  return { name, conditions: { ...normalised.conditions }, shorthand, ...settings }
}

/** Problems of a part as problems of the whole. */
export const below =
  (parent: string) =>
  (problem: Problem): Problem => ({ ...problem, pointer: parent + problem.pointer })

function duplicates(endpoints: readonly string[]): Problem[] {
  return endpoints.flatMap((endpoint, index) =>
    endpoints.indexOf(endpoint) === index
      ? []
      : [{ pointer: `/endpoints/${index}`, code: 'duplicate', message: `names ${endpoint} a second time` }],
  )
}

/**
 * What a PATCH makes of a rule, as a body to be checked like any other. Conditions are replaced whole: merging two
 * trees would give a third that nobody wrote. A patch that sets members of the other form changes the form; it must
 * then bring all of it, because the name of a rule is not the name of an alert.
 */
export function patchedRule(current: RuleDefinition, patch: unknown): Record<string, unknown> {
  const changes = checked(anyObject, patch)
  const { name, conditions, shorthand, endpoints, enabled, notify_resolved } = current
  const settings = { endpoints, enabled, notify_resolved }
  const sets = (member: string) => Object.hasOwn(changes, member) && changes[member] !== null
  if (sets('conditions')) return mergePatch({ name, ...settings }, changes, conditionsMembers)
  if (shorthand !== null) return mergePatch({ ...shorthand, ...settings }, changes, shorthandMembers)
  if (sets('severity') || sets('source')) return mergePatch(settings, changes, shorthandMembers)
  return mergePatch({ name, conditions, ...settings }, changes, conditionsMembers)
}
