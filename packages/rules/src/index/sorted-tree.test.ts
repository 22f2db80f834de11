import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Branch, find, forEach, insert, remove } from './sorted-tree.ts'

class Leaf extends Branch<Leaf> {
  readonly key: number

  constructor(key: number) {
    super()
    this.key = key
  }

  comesBefore(other: Leaf): boolean {
    return this.key < other.key
  }
}

const keysOf = (tree: Leaf | undefined) => {
  const keys: number[] = []
  forEach(tree, ({ key }) => keys.push(key))
  return keys
}

const depthOf = (tree: Leaf | undefined): number =>
  tree === undefined ? 0 : Math.max(depthOf(tree.left), depthOf(tree.right)) + 1

/** Of the deepest tree with as many keys in which no side is two higher than the other. */
const mostDepth = (keys: number) => 1.4405 * Math.log2(keys + 2)

const grown = (keys: Iterable<number>) => {
  let tree: Leaf | undefined
  for (const key of keys) tree = insert(tree, new Leaf(key))
  return tree
}

describe('a sorted tree', () => {
  it('has what was added and not removed, in order and hardly deeper than it must be', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 99 }), { maxLength: 400, size: 'max' }), changes => {
        let tree: Leaf | undefined
        const keys = new Set<number>()
        for (const key of changes) {
          const known = find(tree, new Leaf(key))
          expect(known?.key).toBe(keys.has(key) ? key : undefined)
          if (known === undefined) tree = insert(tree, new Leaf(key))
          else tree = remove(tree as Leaf, known)
          if (!keys.delete(key)) keys.add(key)
          expect(depthOf(tree)).toBeLessThanOrEqual(mostDepth(keys.size))
          expect(depthOf(tree)).toBe(tree?.height ?? 0)
        }
        expect(keysOf(tree)).toEqual([...keys].sort((one, other) => one - other))
      }),
      { numRuns: 60 },
    )
  })

  it.each(['ascending', 'descending', 'inwards'])('is no chain of keys that come %s', order => {
    const count = 100_000
    const keys = Array.from({ length: count }, (_, at) => {
      if (order === 'inwards') return at % 2 === 0 ? at : 2 * count - at
      return order === 'ascending' ? at : -at
    })
    const tree = grown(keys)
    expect(depthOf(tree)).toBeLessThanOrEqual(mostDepth(count))
    expect(keysOf(tree)).toHaveLength(count)
  })
})
