import type { Problem } from '@tocsin/contracts/errors'
import type { AllOf } from './language.ts'

export interface Shorthand {
  severity: string
  source: string
  name: string
}

const fields = ['severity', 'source', 'name'] as const

/** `{severity, source, name}` with `*` for "any" means: all of those that are not `*` are equal. */
export function shorthandConditions(shorthand: Shorthand): { conditions: AllOf } | { problems: Problem[] } {
  const all = fields
    .filter(field => shorthand[field] !== '*')
    .map(field => ({ fact: field, operator: 'equal', value: shorthand[field] }))
  if (all.length > 0) return { conditions: { all } }
  const message = 'at least one of severity, source and name must not be *: this rule would match every alert'
  return { problems: [{ pointer: '', code: 'matches_everything', message }] }
}
