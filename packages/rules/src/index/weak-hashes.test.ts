import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { added, changed, expectNoDifference } from '../../test/crowd-differences.ts'
import { crowds } from '../../test/crowded-rules.ts'
import { RuleIndex } from './rule-index.ts'

const deep = process.env.TOCSIN_TEST_DEEP === '1'
const threeBits = 0b111

vi.mock(import('./hash.ts'), async load => {
  const hashes = await load()
  return {
    ...hashes,
    hashText: text => hashes.hashText(text) & threeBits,
    hashValue: value => hashes.hashValue(value) & threeBits,
  }
})

vi.mock(import('./text-hashes.ts'), async load => {
  const hashes = await load()
  const { hashEdge, markEdge, hashFolded, sampleFolded, hashGram, rollGram, leaveGram, edgeMark } = hashes
  const besideMark = (hash: number) => (edgeMark(hash) << 27) | (hash & threeBits)
  return {
    ...hashes,
    hashEdge: (text, length, isEnd) => besideMark(hashEdge(text, length, isEnd)),
    markEdge: (hash, code) => besideMark(markEdge(hash, code)),
    hashFolded: text => hashFolded(text) & threeBits,
    sampleFolded: text => Math.min(sampleFolded(text), sampleFolded(text) & threeBits),
    hashGram: (text, start, size) => hashGram(text, start, size) & threeBits,
    rollGram: (hash, code) => rollGram(hash, code) & threeBits,
    leaveGram: (hash, oldest, weight) => leaveGram(hash, oldest, weight) & threeBits,
  }
})

describe('rules whose texts nearly all share their hashes', () => {
  it('are found by whatever leads to them', { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(crowds({ rules: 150, alerts: 20 }), crowd => expectNoDifference(crowd, added)),
      { numRuns: deep ? 2_000 : 60, endOnFailure: true },
    )
  })

  it('are found while rules come and go', { timeout: 600_000 }, () => {
    fc.assert(
      fc.property(crowds({ rules: 150, alerts: 8 }), fc.integer({ min: 2, max: 8 }), (crowd, parts) =>
        expectNoDifference(crowd, changed(parts)),
      ),
      { numRuns: deep ? 2_000 : 60, endOnFailure: true },
    )
  })

  it('are kept apart as networks are, whose prefixes are texts', () => {
    const condition = (value: string, name: string) => ({
      all: [
        { fact: 'source', operator: 'cidr', value },
        { fact: 'name', operator: 'notEqual', value: name },
      ],
    })
    const index = new RuleIndex()
    const networks = Array.from({ length: 40 }, (_, number) => `2001:db8:${number + 1}::/48`)
    for (const network of networks)
      for (let rule = 0; rule < 10; rule++) index.add(`${network} ${rule}`, condition(network, `n${rule}`))
    for (const network of networks) index.remove(`${network} 0`)
    for (const network of networks) {
      const found = index.match({ source: network.replace('::/48', '::1'), name: 'n3' })
      expect(found.sort()).toEqual([1, 2, 4, 5, 6, 7, 8, 9].map(rule => `${network} ${rule}`))
    }
    for (const network of networks) for (let rule = 1; rule < 10; rule++) index.remove(`${network} ${rule}`)
    expect(index.extent).toMatchObject({ patterns: 0, held: 0, fields: 0 })
  })
})
