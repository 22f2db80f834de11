import { describe, expect, it } from 'vitest'
import { shorthandConditions } from './shorthand.ts'

describe('shorthandConditions', () => {
  it('asks for equality of all that is not *', () => {
    expect(shorthandConditions({ severity: 'HIGH', source: '*', name: 'timeout' })).toEqual({
      conditions: {
        all: [
          { fact: 'severity', operator: 'equal', value: 'HIGH' },
          { fact: 'name', operator: 'equal', value: 'timeout' },
        ],
      },
    })
  })

  it('refuses a rule that would match every alert', () => {
    expect(shorthandConditions({ severity: '*', source: '*', name: '*' })).toHaveProperty('problems')
  })
})
