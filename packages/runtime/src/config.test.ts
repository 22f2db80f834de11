import { expect, it } from 'vitest'
import { z } from 'zod'
import { count, flag, parseSettings, processSettings, Secret, secret } from './config.ts'

const shape = {
  ...processSettings(8080),
  SIZE: count().default(3),
  TLS: flag().default(false),
  KEY: secret().optional(),
}

it('fills in the defaults, and takes an empty variable as unset', () => {
  expect(parseSettings(shape, { SIZE: '' })).toEqual({
    settings: { LOG_LEVEL: 'info', HOST: '0.0.0.0', PORT: 8080, STOP_GRACE_MS: 10_000, SIZE: 3, TLS: false },
  })
})

it('reads text as what the setting is', () => {
  expect(parseSettings(shape, { SIZE: '7', TLS: '1', PORT: '0' })).toMatchObject({
    settings: { SIZE: 7, TLS: true, PORT: 0 },
  })
})

it('names every wrong setting at once', () => {
  const result = parseSettings(shape, { SIZE: 'many', TLS: 'yes', PORT: '70000', LOG_LEVEL: 'loud' })
  expect('problems' in result && result.problems.map(problem => problem.setting).toSorted()).toEqual([
    'LOG_LEVEL',
    'PORT',
    'SIZE',
    'TLS',
  ])
})

it('names what does not fit together with all else, but a setting that is wrong by itself only once', () => {
  const check = ({ TLS, KEY }: { TLS?: boolean; KEY?: Secret | undefined }) =>
    KEY && !TLS
      ? [
          { setting: 'TLS', message: 'is needed, as KEY is set' },
          { setting: 'KEY', message: 'needs TLS' },
        ]
      : []
  const named = (env: Record<string, string>) => {
    const result = parseSettings(shape, env, check)
    return 'problems' in result ? result.problems.map(({ setting, message }) => `${setting} ${message}`) : []
  }
  expect(named({ KEY: 'k', TLS: 'true' })).toEqual([])
  expect(named({ KEY: 'k' })).toEqual(['TLS is needed, as KEY is set', 'KEY needs TLS'])
  expect(named({ KEY: 'k', SIZE: 'many' })).toHaveLength(3)
  expect(named({ KEY: 'k', TLS: 'yes' }).filter(text => text.startsWith('TLS'))).toHaveLength(1)
})

it('never shows a secret by printing it', () => {
  const result = parseSettings(
    { KEY: secret().default(new Secret('')), URL: z.string().optional() },
    { KEY: 'hunter2' },
  )
  if (!('settings' in result)) throw new Error('should be valid')
  expect(`${result.settings.KEY} ${JSON.stringify(result.settings)}`).not.toContain('hunter2')
  expect(result.settings.KEY.reveal()).toBe('hunter2')
})
