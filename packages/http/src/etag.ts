import type { IncomingHttpHeaders } from 'node:http'
import { refusal } from './problems.ts'

/** A resource's version, as HTTP spells it. */
export function etagOf(version: number): string {
  return `"${version}"`
}

const entityTags = /^\s*(?:W\/)?"[^"]*"(?:\s*,\s*(?:W\/)?"[^"]*")*\s*$/

/**
 * Optional: who sends no If-Match overwrites whatever is there. Who sends one edits the version that they have seen or
 * nothing. Called with the row locked, so that of two editors with the same version exactly one gets through.
 */
export function requireMatch(headers: IncomingHttpHeaders, version: number): void {
  const given = headers['if-match']
  if (given === undefined || given.trim() === '*') return
  if (!entityTags.test(given)) throw refusal('malformed', 'If-Match must be an ETag in quotes, like "3", or *')
  // Compared as they stand: a weak tag (W/"3") never matches, as RFC 9110 has it.
  const tags = new Set<string>(given.match(/(?:W\/)?"[^"]*"/g))
  if (tags.has(etagOf(version))) return
  throw refusal('stale', `it was changed meanwhile: its version is now ${version}`, { current_etag: etagOf(version) })
}
