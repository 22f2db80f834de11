import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { decoratorNames } from './decorators.ts'
import { explain } from './explain.ts'
import { limits, problemCodes, warningCodes } from './language.ts'
import { createMatcher } from './matcher.ts'
import { operatorNames, splitOperator } from './operators.ts'
import { validateConditions } from './validate-conditions.ts'

const page = readFileSync(new URL('../../../docs/rules.md', import.meta.url), 'utf8')

interface Example {
  conditions: object
  alert: object
  matches: boolean
}

const sections = page.split(/^#{2,3} /m).map(section => ({
  title: section.slice(0, section.indexOf('\n')),
  examples: Array.from(
    section.matchAll(/^```json\n([\s\S]*?)^```/gm),
    block => JSON.parse(block[1] as string) as Example,
  ),
}))

const firstCells = (title: string) => {
  const table = page.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? ''
  return Array.from(table.matchAll(/^\| `([^`]+)` \|([^|]*)\|/gm), cells => [cells[1] as string, cells[2] as string])
}

describe('docs/rules.md', () => {
  it.each(sections.filter(({ examples }) => examples.length > 0))('$title', async ({ examples }) => {
    for (const { conditions, alert, matches } of examples) {
      const checked = validateConditions(conditions)
      expect(checked).toEqual({ conditions, warnings: [] })
      const matcher = createMatcher()
      matcher.add({ id: 'r', conditions })
      expect(matcher.match(alert)).toEqual(matches ? ['r'] : [])
      if ('conditions' in checked) expect((await explain(checked, alert)).matched).toBe(matches)
    }
  })

  it('has an example under each operator and each decorator that uses it', () => {
    const shown = (title: string) => JSON.stringify(sections.find(section => section.title === title)?.examples ?? [])
    const used = (title: string) =>
      Array.from(shown(title).matchAll(/"operator":"([^"]+)"/g), match => splitOperator(match[1] as string))
    for (const name of operatorNames) {
      expect([name, used(`\`${name}\``).some(asked => asked?.base === name)]).toEqual([name, true])
    }
    for (const name of decoratorNames) {
      expect([name, used(`\`${name}:\``).some(asked => asked?.decorators.includes(name))]).toEqual([name, true])
    }
  })

  it('has every limit, problem and warning, and no other', () => {
    expect(firstCells('Limits').map(([name, most]) => [name, Number(most)])).toEqual(Object.entries(limits))
    expect(firstCells('Problems').map(([code]) => code)).toEqual(problemCodes)
    expect(firstCells('Warnings').map(([code]) => code)).toEqual(warningCodes)
  })
})
