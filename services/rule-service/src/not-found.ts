import { refusal } from '@tocsin/http/problems'
import type { AppError } from '@tocsin/runtime/errors'

export function noSuch(
  kind: 'team' | 'endpoint' | 'rule' | 'notification' | 'delivery' | 'dead letter',
  id: string,
): AppError {
  return refusal('not_found', `there is no ${kind} ${id}`)
}
