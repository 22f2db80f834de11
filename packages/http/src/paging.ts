import type { Page } from '@tocsin/contracts/http'
import { invalidAt, refusal } from './problems.ts'
import type { ApiRequest } from './routes.ts'

export const defaultPageSize = 50
export const maxPageSize = 200

/** A part of a list: so many rows behind the one with this key. */
export interface PageRequest {
  limit: number
  after: string | undefined
}

/**
 * `list` names what is paged through. It is in the cursor, so that a cursor of one list is refused by another instead
 * of quietly starting somewhere in it.
 */
export function pageRequest(query: ApiRequest['query'], list: string): PageRequest {
  return { limit: limitOf(query.limit), after: query.cursor === undefined ? undefined : keyOf(query.cursor, list) }
}

/** Stores read one row more than a page has; whether it is there says if another page follows. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  { limit }: PageRequest,
  list: string,
  { key, item }: { key: (row: Row) => string; item: (row: Row) => Item },
): Page<Item> {
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  return { items: shown.map(item), next_cursor: last === undefined ? null : cursorOf(list, key(last)) }
}

/** One value of a query parameter: `?status=a&status=b` is refused rather than guessed at. */
export function single(query: ApiRequest['query'], name: string): string | undefined {
  const value = query[name]
  if (value === undefined || typeof value === 'string') return value
  throw invalidAt(`/${name}`, 'repeated', 'may be given once')
}

function limitOf(given: unknown): number {
  if (given === undefined) return defaultPageSize
  const limit = typeof given === 'string' && /^\d{1,9}$/.test(given) ? Number(given) : 0
  if (limit >= 1 && limit <= maxPageSize) return limit
  throw invalidAt('/limit', 'out_of_range', `must be a whole number from 1 to ${maxPageSize}`)
}

function cursorOf(list: string, key: string): string {
  return Buffer.from(JSON.stringify([list, key])).toString('base64url')
}

function keyOf(cursor: unknown, list: string): string {
  const decoded = typeof cursor === 'string' ? decode(cursor) : undefined
  if (Array.isArray(decoded) && decoded[0] === list && typeof decoded[1] === 'string' && !decoded[1].includes('\0')) {
    return decoded[1]
  }
  throw refusal('malformed', 'the cursor is not one that this list gave out as next_cursor')
}

function decode(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString())
  } catch {
    return undefined
  }
}
