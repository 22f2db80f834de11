import { AppError } from '@tocsin/runtime/errors'
import { describe, expect, it } from 'vitest'
import { type Caller, cachedKeys } from './api-keys.ts'

/** A database of keys that counts how often it is asked, and can be away. */
function keyStore() {
  const store = {
    keys: new Map<string, Caller>([['good', { key_id: 'key_1', name: 'one' }]]),
    away: false,
    asked: 0,
    clock: 0,
    async find(key: string): Promise<Caller | undefined> {
      store.asked++
      if (store.away) throw new AppError('postgres_unavailable', 'away', { retryable: true })
      return store.keys.get(key)
    },
  }
  return { store, authenticate: cachedKeys(store.find, { now: () => store.clock, maxKeys: 10 }) }
}

describe('cachedKeys', () => {
  it('asks once for requests that come together, and not again for ten seconds', async () => {
    const { store, authenticate } = keyStore()
    await Promise.all([authenticate('good'), authenticate('good'), authenticate('good')])
    store.clock = 9_999
    expect(await authenticate('good')).toEqual({ key_id: 'key_1', name: 'one' })
    expect(store.asked).toBe(1)
  })

  it('lets a removed key in for ten seconds at most', async () => {
    const { store, authenticate } = keyStore()
    await authenticate('good')
    store.keys.clear()
    store.clock = 10_000
    expect(await authenticate('good')).toBeUndefined()
  })

  it('lets a new key in a second after it was refused', async () => {
    const { store, authenticate } = keyStore()
    expect(await authenticate('new')).toBeUndefined()
    store.keys.set('new', { key_id: 'key_2', name: 'two' })
    expect(await authenticate('new')).toBeUndefined()
    store.clock = 1_000
    expect(await authenticate('new')).toEqual({ key_id: 'key_2', name: 'two' })
  })

  it('keeps a real key in memory through a flood of invented ones, and stays bounded', async () => {
    const { store, authenticate } = keyStore()
    await authenticate('good')
    for (let guess = 0; guess < 100; guess++) await authenticate(`guess ${guess}`)
    await authenticate('good')
    expect(store.asked).toBe(101)
    await authenticate('guess 0') // pushed out long ago
    expect(store.asked).toBe(102)
  })

  it('never says "unknown" when the store cannot be asked: it fails as retryable', async () => {
    const { store, authenticate } = keyStore()
    store.away = true
    await expect(authenticate('good')).rejects.toMatchObject({ retryable: true })
    store.away = false
    expect(await authenticate('good')).toBeDefined()
  })

  it('goes on with a key that was good lately while the store is away, but not for ever', async () => {
    const { store, authenticate } = keyStore()
    await authenticate('good')
    store.away = true
    store.clock = 14 * 60_000
    expect(await authenticate('good')).toBeDefined()
    expect(await authenticate('good')).toBeDefined()
    expect(store.asked).toBe(2) // a store that hangs must not make every request wait for it
    store.clock = 16 * 60_000
    await expect(authenticate('good')).rejects.toMatchObject({ retryable: true })
  })
})
