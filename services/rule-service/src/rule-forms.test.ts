import type { Problem } from '@tocsin/contracts/errors'
import { AppError } from '@tocsin/runtime/errors'
import { describe, expect, it } from 'vitest'
import { patchedRule, ruleFrom } from './rule-forms.ts'

const conditions = { all: [{ fact: 'severity', operator: 'equal', value: 'HIGH' }] }

function problemsOf(attempt: () => unknown): Problem[] {
  try {
    attempt()
  } catch (error) {
    if (error instanceof AppError && error.code === 'invalid')
      return (error.details as { problems: Problem[] }).problems
    throw error
  }
  throw new Error('was taken')
}

describe('ruleFrom', () => {
  it('takes the conditions form, with what a rule has unless told', () => {
    expect(ruleFrom({ name: ' High errors ', conditions })).toEqual({
      name: 'High errors',
      conditions,
      shorthand: null,
      endpoints: [],
      enabled: true,
      notify_resolved: true,
    })
  })

  it('keeps the short form as written and makes conditions of what is not *', () => {
    expect(ruleFrom({ severity: 'HIGH', source: '*', name: 'timeout', enabled: false })).toMatchObject({
      name: 'timeout',
      shorthand: { severity: 'HIGH', source: '*', name: 'timeout' },
      conditions: {
        all: [
          { fact: 'severity', operator: 'equal', value: 'HIGH' },
          { fact: 'name', operator: 'equal', value: 'timeout' },
        ],
      },
      enabled: false,
    })
  })

  it.each<[string, unknown, [string, string][]]>([
    ['no object', ['x'], [['', 'custom']]],
    ['both forms', { name: 'n', conditions, severity: 'HIGH' }, [['', 'two_forms']]],
    ['neither form', { name: 'n' }, [['', 'no_form']]],
    ['three *', { severity: '*', source: '*', name: '*' }, [['', 'matches_everything']]],
    ['a short form without its name', { severity: 'HIGH', source: 'api' }, [['/name', 'invalid_type']]],
    ['an unknown severity', { severity: 'high', source: 'api', name: 'n' }, [['/severity', 'invalid_value']]],
    ['conditions that are null', { name: 'n', conditions: null }, [['/conditions', 'not_an_object']]],
    ['an endpoint named twice', { name: 'n', conditions, endpoints: ['a', 'a'] }, [['/endpoints/1', 'duplicate']]],
    [
      'problems of every kind at once',
      { name: '', colour: 'red', conditions: { all: [{ fact: 'name', operator: 'like', value: 1 }] } },
      [
        ['/name', 'too_small'],
        ['/colour', 'unknown_field'],
        ['/conditions/all/0/operator', 'unknown_operator'],
      ],
    ],
  ])('refuses %s and says where', (_, body, expected) => {
    expect(problemsOf(() => ruleFrom(body)).map(({ pointer, code }) => [pointer, code])).toEqual(expected)
  })

  it('says what the two forms are to whoever wrote neither or both', () => {
    expect(problemsOf(() => ruleFrom({ name: 'n' }))[0]?.message).toMatch(/conditions.*severity, source and name/)
    expect(problemsOf(() => ruleFrom({ conditions, source: 'x' }))[0]?.message).toMatch(/one form or the other/)
  })

  it('names 100 problems of conditions that are nothing but problems, and says that there are more', () => {
    const problems = problemsOf(() => ruleFrom({ name: 'n', conditions: { all: Array(20_000).fill({}) } }))
    expect(problems).toHaveLength(101)
    expect(problems.at(-1)?.code).toBe('more_problems')
  })

  it('is not fooled by members that every object inherits', () => {
    const body = JSON.parse('{"name":"n","__proto__":{"conditions":{"all":[]}}}')
    expect(problemsOf(() => ruleFrom(body))[0]?.code).toBe('no_form')
  })
})

describe('patchedRule', () => {
  const byConditions = ruleFrom({ name: 'High errors', conditions, endpoints: ['end_1'] })
  const byShorthand = ruleFrom({ severity: 'HIGH', source: '*', name: 'timeout' })
  const patched = (current: typeof byConditions, patch: unknown) => ruleFrom(patchedRule(current, patch))

  it('changes what it names and leaves the rest, in either form', () => {
    expect(patched(byConditions, { enabled: false })).toEqual({ ...byConditions, enabled: false })
    expect(patched(byShorthand, { source: 'api' })).toEqual(
      ruleFrom({ severity: 'HIGH', source: 'api', name: 'timeout' }),
    )
    expect(patched(byShorthand, {})).toEqual(byShorthand)
  })

  it('replaces conditions as a whole', () => {
    const any = { any: [{ fact: 'name', operator: 'equal', value: 'x' }] }
    expect(patched(byConditions, { conditions: any }).conditions).toEqual(any)
  })

  it('changes the form when the patch brings all of the other one', () => {
    expect(patched(byShorthand, { conditions })).toMatchObject({ name: 'timeout', conditions, shorthand: null })
    const short = { severity: 'LOW', source: 'api', name: 'slow' }
    expect(patched(byConditions, short)).toMatchObject({ name: 'slow', shorthand: short, endpoints: ['end_1'] })
  })

  it('does not take the name of a rule for the name of an alert', () => {
    expect(problemsOf(() => patched(byConditions, { severity: 'LOW', source: 'api' }))).toEqual([
      expect.objectContaining({ pointer: '/name' }),
    ])
  })

  it('takes null for "as it is unless told", of what a rule may be without', () => {
    const quiet = ruleFrom({ name: 'n', conditions, endpoints: ['end_1'], enabled: false, notify_resolved: false })
    const back = patched(quiet, { enabled: null, notify_resolved: null, endpoints: null, colour: null })
    expect(back).toEqual(ruleFrom({ name: 'n', conditions }))
    expect(patched(byConditions, { severity: null })).toEqual(byConditions)
  })

  it('takes null for the members of the form that the patch leaves', () => {
    const short = { severity: 'LOW', source: 'api', name: 'slow' }
    expect(patched(byConditions, { ...short, conditions: null })).toMatchObject({ name: 'slow', shorthand: short })
    expect(patched(byShorthand, { conditions, severity: null, source: null })).toMatchObject({ conditions })
  })

  it.each([
    [byConditions, { name: null }, ['/name']],
    [byConditions, { conditions: null }, ['/conditions']],
    [byShorthand, { severity: null, source: null }, ['/severity', '/source']],
    [byShorthand, { name: null }, ['/name']],
  ])('names what a rule cannot be without (%#)', (current, patch, pointers) => {
    expect(problemsOf(() => patched(current, patch)).map(problem => problem.pointer)).toEqual(pointers)
  })

  it('refuses what would leave no rule', () => {
    for (const patch of [
      null,
      [],
      'x',
      { conditions: null },
      { name: null },
      { conditions, severity: 'LOW' },
      { rule_id: 'x' },
    ]) {
      expect(problemsOf(() => patched(byConditions, patch))).not.toEqual([])
    }
  })
})
