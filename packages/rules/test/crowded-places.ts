import { type Draw, drawFrom, oneOf } from './draw.ts'

export type Alert = Record<string, unknown>

/** The few values that the rules of one crowd name. */
export interface Vocabulary {
  readonly words: readonly string[]
  /** Fronts, ends and middles of the words, of 1 letter to 20, so that each size of window is met. */
  readonly pieces: readonly string[]
  readonly numbers: readonly number[]
  readonly addresses: readonly number[]
  readonly networks: readonly string[]
  readonly elements: readonly object[]
}

type Ask = (draw: Draw, vocabulary: Vocabulary) => readonly [operator: string, value: unknown]
type Find = (draw: Draw, vocabulary: Vocabulary) => unknown

/** Where something stands in an alert: what rules ask there, and what an alert may have there. */
interface Place {
  readonly path: string
  readonly asks: readonly Ask[]
  readonly find: Find
}

/** As many numbers as `vocabularyOf` draws from. */
export const vocabularySeeds = 25

export function vocabularyOf(words: readonly string[], seeds: readonly number[]): Vocabulary {
  const draws = seeds.map(drawFrom).values()
  const many = <Item>(count: number, make: (draw: Draw) => Item) =>
    Array.from({ length: count }, () => make(draws.next().value as Draw))
  const pieces = many(6, draw => pieceOf(draw, words))
  const numbers = many(5, draw => draw(15) - 2)
  const addresses = many(3, draw => draw(2 ** 32))
  const networks = many(6, draw => networkOf(draw, addresses))
  const known = { words, pieces, numbers, addresses, networks, elements: [] }
  return { ...known, elements: many(5, draw => elementOf(draw, known)) }
}

/** Of all that rules name the first two. */
export const fewOf = ({ words, pieces, numbers, addresses, networks, elements }: Vocabulary): Vocabulary => ({
  ...{ words: words.slice(0, 2), pieces: pieces.slice(0, 2), numbers: numbers.slice(0, 2) },
  ...{ addresses, networks: networks.slice(0, 2), elements: elements.slice(0, 2) },
})

function pieceOf(draw: Draw, words: readonly string[]): string {
  const word = oneOf(draw, words)
  const start = Math.min(draw(3), word.length - 1)
  return word.slice(start, Math.max(start + 1, word.length - draw(3)))
}

const prefixes = [32, 24, 8, 31, 9, 1, 0] as const

function networkOf(draw: Draw, addresses: readonly number[]): string {
  const prefix = oneOf(draw, prefixes)
  const size = 2 ** (32 - prefix)
  const address = Math.floor(oneOf(draw, addresses) / size) * size
  return draw(4) === 0 ? `2001:db8::${hexadecimal(address)}/${96 + prefix}` : `${dotted(address)}/${prefix}`
}

const dotted = (address: number) => [24, 16, 8, 0].map(shift => (address >>> shift) & 255).join('.')
const hexadecimal = (address: number) => `${(address >>> 16).toString(16)}:${(address & 0xffff).toString(16)}`

function elementOf(draw: Draw, vocabulary: Vocabulary): object {
  const clauses = Array.from({ length: 1 + draw(3) }, () => {
    const { path, asks } = oneOf(draw, partsOfElement)
    const [operator, value] = oneOf(draw, asks)(draw, vocabulary)
    return { field: path, operator, value }
  })
  return draw(3) === 0 ? { any: clauses } : { all: clauses }
}

const orders = ['lessThan', 'lessThanInclusive', 'greaterThan', 'greaterThanInclusive'] as const

const wordAsks: readonly Ask[] = [
  (draw, { words }) => ['equal', oneOf(draw, words)],
  (draw, { words }) => ['in', [oneOf(draw, words), oneOf(draw, words)]],
  (draw, { words }) => ['equalsIgnoreCase', oneOf(draw, words).toUpperCase()],
]
const pieceAsks: readonly Ask[] = [
  (draw, { pieces }) => ['wildcard', `*${oneOf(draw, pieces)}*`],
  (draw, { pieces }) => ['startsWith', oneOf(draw, pieces)],
  (draw, { pieces }) => ['endsWith', oneOf(draw, pieces)],
  (draw, { pieces }) => ['matches', `.*${oneOf(draw, pieces)}.*`],
  (draw, { pieces }) => ['matches', `(${oneOf(draw, pieces)}|${oneOf(draw, pieces)}).?`],
  (draw, { pieces }) => ['matches', `(?i)${oneOf(draw, pieces).toUpperCase()}.*`],
  (draw, { pieces }) => ['matches', `(?is).*${oneOf(draw, pieces)}`],
  (draw, { pieces }) => ['matches', `(?i).*${oneOf(draw, pieces).toUpperCase()}.*`],
  (draw, { pieces }) => ['wildcard', `${oneOf(draw, pieces)}*${oneOf(draw, pieces)}*`],
  (draw, { pieces }) => ['wildcard', `*${oneOf(draw, pieces)}*${oneOf(draw, pieces)}`],
  (draw, { pieces }) => ['someValue:startsWith', [oneOf(draw, pieces), oneOf(draw, pieces)]],
]
/** There is nothing to look up for these. */
const unreadAsks: readonly Ask[] = [
  draw => ['matches', `[ak${draw(3)}]+`],
  (draw, { words }) => ['swap:startsWith', oneOf(draw, words)],
]
const textOrderAsks: readonly Ask[] = [(draw, { pieces }) => [oneOf(draw, orders), oneOf(draw, pieces)]]
const numberAsks: readonly Ask[] = [
  (draw, { numbers }) => ['equal', oneOf(draw, numbers)],
  (draw, { numbers }) => [oneOf(draw, orders), oneOf(draw, numbers)],
  (draw, { numbers }) => {
    const low = oneOf(draw, numbers)
    return ['between', [low, low + draw(3)]]
  },
  (draw, { numbers }) => [`not:${oneOf(draw, orders)}`, oneOf(draw, numbers)],
  (draw, { numbers }) => ['not:between', [oneOf(draw, numbers), oneOf(draw, numbers)]],
]
const listOrderAsks: readonly Ask[] = [(draw, { numbers }) => [oneOf(draw, orders), [oneOf(draw, numbers)]]]
const addressAsks: readonly Ask[] = [
  (draw, { networks }) => ['cidr', oneOf(draw, networks)],
  (draw, { networks }) => ['cidr', [oneOf(draw, networks), oneOf(draw, networks)]],
]
const elementAsks: readonly Ask[] = [
  (draw, { elements }) => ['element', oneOf(draw, elements)],
  (draw, { elements }) => ['not:element', { not: oneOf(draw, elements) }],
]

const ofMembers = (asks: readonly Ask[]): readonly Ask[] =>
  ['someFact', 'everyFact'].map(walk => (draw, vocabulary) => {
    const [operator, value] = oneOf(draw, asks)(draw, vocabulary)
    return [`${walk}:${operator}`, value]
  })

const listAsks: readonly Ask[] = [
  (draw, { words }) => ['contains', oneOf(draw, words)],
  (draw, { words }) => ['doesNotContain', oneOf(draw, words)],
  (draw, { words }) => ['everyFact:notEqual', oneOf(draw, words)],
  // Of what has no members the engine throws, so that neither holds.
  (draw, { words }) => [oneOf(draw, ['swap:in', 'not:swap:in']), oneOf(draw, [words[0], words])],
  (draw, { words }) => ['everyValue:contains', [oneOf(draw, words), oneOf(draw, words)]],
  ...ofMembers(wordAsks),
  ...ofMembers(pieceAsks),
]

const listsAsks: readonly Ask[] = [
  (draw, { words }) => ['someFact:contains', oneOf(draw, words)],
  (draw, { words }) => ['someFact:not:doesNotContain', oneOf(draw, words)],
]

const findText: Find = (draw, { words }) => {
  const word = oneOf(draw, words)
  const middle = word.length >> 1
  const texts = [word, `k${word}`, `${word}a`, word.slice(1), word.slice(0, -1), `${oneOf(draw, words)}${word}`]
  const inOtherCase = [word.toUpperCase(), word.replace('k', '\u212a').replace('é', 'É')]
  return oneOf(draw, [...texts, ...inOtherCase, `${word.slice(0, middle)}1${word.slice(middle)}`])
}

const findNumber: Find = (draw, { numbers }) => {
  const number = oneOf(draw, numbers) + oneOf(draw, [0, 1, -1, 0.5])
  return oneOf<unknown>(draw, [number, number, number, `${number}`, [number], `${number}a`])
}

/** One bit away at the ends of the prefixes. */
const findAddress: Find = (draw, { addresses }) => {
  const address = (oneOf(draw, addresses) ^ oneOf(draw, [0, 1, 2, 2 ** 8, 2 ** 23, 2 ** 24, 2 ** 31])) >>> 0
  const six = [`::ffff:${dotted(address)}`, `2001:db8::${hexadecimal(address)}`]
  return oneOf(draw, [dotted(address), dotted(address), ...six])
}

const listOf =
  (find: Find): Find =>
  (draw, vocabulary) =>
    Array.from({ length: draw(4) }, () => find(draw, vocabulary))

const partsOfElement: readonly Place[] = [
  { path: 'word', asks: wordAsks, find: findText },
  { path: 'text', asks: pieceAsks, find: findText },
  { path: 'number', asks: numberAsks, find: findNumber },
]

const findElement: Find = (draw, vocabulary) =>
  Object.fromEntries(partsOfElement.map(({ path, find }) => [path, find(draw, vocabulary)]))

export const places: readonly Place[] = [
  ...partsOfElement,
  { path: 'address', asks: addressAsks, find: findAddress },
  { path: 'ordered', asks: textOrderAsks, find: findText },
  { path: 'texts', asks: listAsks, find: listOf(findText) },
  { path: 'unread', asks: unreadAsks, find: findText },
  { path: 'listOrder', asks: listOrderAsks, find: findNumber },
  { path: 'lists', asks: listsAsks, find: listOf(listOf(findText)) },
  { path: 'numbers', asks: ofMembers(numberAsks), find: listOf(findNumber) },
  { path: 'ordereds', asks: ofMembers(textOrderAsks), find: listOf(findText) },
  { path: 'addresses', asks: ofMembers(addressAsks), find: listOf(findAddress) },
  { path: 'elements', asks: elementAsks, find: listOf(findElement) },
]
