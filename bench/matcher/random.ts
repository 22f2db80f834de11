/** Numbers that look random and are the same for the same seed and keys, on every machine. */
export interface Random {
  /** From 0 up to, but not including, 1. */
  next(): number
  /** A whole number from 0 up to, but not including, `end`. */
  below(end: number): number
  pick<Item>(items: readonly Item[]): Item
  chance(probability: number): boolean
}

/**
 * The keys name what is made (rule 17 of a set, alert 4 of a corpus), so that each can be made alone: the first thousand
 * rules are the same whether or not more follow.
 */
export function randomFrom(seed: number, ...keys: number[]): Random {
  let state = keys.reduce((mixed, key) => mix(mixed + key + 0x9e3779b9), mix(seed))
  const next = () => {
    state = (state + 0x9e3779b9) | 0
    return (mix(state) >>> 0) / 2 ** 32
  }
  const below = (end: number) => Math.floor(next() * end)
  return {
    next,
    below,
    pick: items => items[below(items.length)]!,
    chance: probability => next() < probability,
  }
}

/** Every bit of the input changes about half of the bits of the output. */
function mix(input: number): number {
  let bits = input | 0
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b)
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35)
  return bits ^ (bits >>> 16)
}
