import { parseSettings } from '@tocsin/runtime/config'
import { expect, it } from 'vitest'
import { settings } from './config.ts'

it('refuses a pool that a comparison of everything would take for itself, and says why', () => {
  expect(parseSettings(settings, { DATABASE_POOL_SIZE: '1' })).toEqual({
    problems: [{ setting: 'DATABASE_POOL_SIZE', message: expect.stringMatching(/at least 2/) }],
  })
  for (const size of ['2', '', undefined]) {
    expect(parseSettings(settings, { DATABASE_POOL_SIZE: size })).toHaveProperty('settings')
  }
})
