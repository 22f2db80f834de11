import { hash } from 'node:crypto'
import { isRetryable } from '@tocsin/runtime/errors'
import type { RequestHandler } from 'express'
import { refusal } from './problems.ts'
import { contextOf } from './request-context.ts'

export interface Caller {
  key_id: string
  name: string
}

/** Gives who has the key, undefined when nobody does; throws when that cannot be found out now. */
export type Authenticate = (key: string) => Promise<Caller | undefined>

export interface KeyCacheOptions {
  now?: () => number
  maxKeys?: number
}

/**
 * How long a removed key still works, and how long a new one that was tried too early does not. A database that does not
 * answer is asked again as seldom: a hanging connection keeps whoever asks waiting for seconds.
 */
const knownMs = 10_000
const unknownMs = 1_000
/**
 * While the database cannot be asked, a key that was good this recently stays good: alerts must come in when Postgres is
 * away, and a key could not be revoked in that time anyway.
 */
const staleMs = 15 * 60_000

interface Entry {
  caller: Caller | undefined
  seenAt: number
  askAgainAt: number
}

/**
 * Answers from memory as a rule, so that a request costs no round trip to the database. Known and unknown keys are
 * kept apart, each bounded: a flood of invented keys cannot push the real ones out. Holds hashes, not keys.
 */
export function cachedKeys(
  find: Authenticate,
  { now = Date.now, maxKeys = 1_000 }: KeyCacheOptions = {},
): Authenticate {
  const known = new Map<string, Entry>()
  const unknown = new Map<string, Entry>()
  const asking = new Map<string, Promise<Caller | undefined>>()

  const keep = (cache: Map<string, Entry>, id: string, caller: Caller | undefined, forMs: number) => {
    cache.delete(id)
    cache.set(id, { caller, seenAt: now(), askAgainAt: now() + forMs })
    if (cache.size > maxKeys) cache.delete(cache.keys().next().value as string) // the oldest
  }

  const ask = async (id: string, key: string): Promise<Caller | undefined> => {
    try {
      const caller = await find(key)
      known.delete(id)
      if (caller === undefined) keep(unknown, id, caller, unknownMs)
      else keep(known, id, caller, knownMs)
      return caller
    } catch (error) {
      const last = known.get(id)
      if (!isRetryable(error) || last === undefined || now() - last.seenAt >= staleMs) throw error
      last.askAgainAt = now() + knownMs
      return last.caller
    }
  }

  return async key => {
    const id = hash('sha256', key, 'base64')
    const seen = known.get(id) ?? unknown.get(id)
    if (seen !== undefined && now() < seen.askAgainAt) return seen.caller
    const underWay = asking.get(id) ?? ask(id, key).finally(() => asking.delete(id))
    asking.set(id, underWay) // requests that come together ask once
    return underWay
  }
}

const bearer = /^Bearer +([\w.~+/-]+=*) *$/i

/** 401 for a missing key and for an unknown one alike: the answer does not help anybody to guess. */
export function requireKey(authenticate: Authenticate): RequestHandler {
  return async (req, res, next) => {
    const key = bearer.exec(req.get('authorization') ?? '')?.[1]
    const caller = key === undefined ? undefined : await authenticate(key)
    if (caller === undefined) {
      res.setHeader('www-authenticate', 'Bearer')
      throw refusal('unauthenticated', 'a known API key is needed: Authorization: Bearer <key>')
    }
    contextOf(res).caller = caller
    next()
  }
}
