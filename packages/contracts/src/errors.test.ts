import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type Problem, ProblemList, problemsMax, problemsOf } from './errors.ts'

const problem = (pointer: string): Problem => ({ pointer, code: 'bad', message: 'is bad' })
const more = { pointer: '', code: 'more_problems', message: 'has more problems than are told here' }

function listOf(count: number, pointer: (index: number) => string): Problem[] {
  const problems = new ProblemList()
  for (let index = 0; index < count; index++) problems.add(problem(pointer(index)))
  return [...problems]
}

describe('ProblemList', () => {
  it('keeps all that somebody may want to read, in order', () => {
    const told = listOf(problemsMax, index => `/${index}`)
    expect(told).toEqual(Array.from({ length: problemsMax }, (_, index) => problem(`/${index}`)))
  })

  it('ends at 100 and says that there are more', () => {
    const told = listOf(1_000, index => `/${index}`)
    expect(told).toHaveLength(problemsMax + 1)
    expect(told.at(-1)).toEqual(more)
  })

  it('ends earlier when each problem is a long way down', () => {
    const told = listOf(1_000, () => `/${'k'.repeat(10_000)}`)
    expect(told.length).toBeLessThan(10)
    expect(told.at(-1)).toEqual(more)
  })

  it('tells one problem wherever it is, and the same when it is given a list that ended', () => {
    expect(listOf(1, () => `/${'k'.repeat(1_000_000)}`)).toHaveLength(1)
    const ended = listOf(1_000, index => `/${index}`)
    expect([...ProblemList.of(ended)]).toEqual(ended)
  })
})

describe('problemsOf', () => {
  it('ends at 100 for a body full of fields that nobody knows', () => {
    const body = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`field ${index}`, 1]))
    const { error } = z.strictObject({}).safeParse(body)
    const told = problemsOf(error!)
    expect(told).toHaveLength(problemsMax + 1)
    expect(told[0]).toEqual({ pointer: '/field 0', code: 'unknown_field', message: 'is not a known field' })
    expect(told.at(-1)).toEqual(more)
    expect(problemsOf(error!, 3)).toHaveLength(4)
  })
})
