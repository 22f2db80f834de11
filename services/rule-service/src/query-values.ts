import { timestamp } from '@tocsin/contracts/alert'
import { single } from '@tocsin/http/paging'
import { invalidAt } from '@tocsin/http/problems'
import type { ApiRequest } from '@tocsin/http/routes'

export function oneOf<Value extends string>(
  allowed: readonly Value[],
  query: ApiRequest['query'],
  name: string,
): Value | undefined {
  const given = single(query, name)
  if (given === undefined || allowed.includes(given as Value)) return given as Value | undefined
  throw invalidAt(`/${name}`, 'invalid_value', `must be one of ${allowed.join(', ')}`)
}

export function wholeNumber(
  query: ApiRequest['query'],
  name: string,
  { usual, max }: { usual: number; max: number },
): number {
  const given = single(query, name)
  if (given === undefined) return usual
  const number = /^\d{1,9}$/.test(given) ? Number(given) : 0
  if (number >= 1 && number <= max) return number
  throw invalidAt(`/${name}`, 'out_of_range', `must be a whole number from 1 to ${max}`)
}

/** In the one form that Postgres takes for sure: RFC 3339 has a year 0, and Postgres has none. */
export function storableTime(given: string | undefined, pointer: string): string | undefined {
  if (given === undefined) return undefined
  const date = new Date(given)
  const year = date.getUTCFullYear()
  if (timestamp.safeParse(given).success && year >= 1 && year <= 9_999) return date.toISOString()
  throw invalidAt(pointer, 'invalid_value', 'must be an RFC 3339 date and time')
}
