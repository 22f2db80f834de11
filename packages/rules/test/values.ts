import fc from 'fast-check'

/** Values that are near each other: equal to one operator, different to the next. */
const near = [
  ...[
    '',
    'a',
    'ab',
    'abc',
    'A',
    'AB',
    'Abc',
    'b',
    '*',
    'a*',
    '\\',
    'a\\',
    'ß',
    'ẞ',
    'SS',
    'ſ',
    's',
    'K',
    '\u212a',
    'a\nB',
    'a\t',
    'k',
    'İ',
    'ı',
    'i',
  ],
  ...['0', '-0', '9', '10', '10a', ' 10', '1e3', 'Infinity', 'NaN', 'null', 'true', '[object Object]', '9,1'],
  ...['10.0.0.0', '10.0.0.1', '10.1.0.1', '010.0.0.1', '::ffff:10.0.0.1', '::1', '2001:db8::1', '2001:DB8:0::1'],
  ...['\ud800', '\udc00\ud800', '😀', '__proto__', 'constructor', 'length', 'toString'],
  ...[0, -0, 1, -1, 9, 9.5, 10, 11, 1e3, 1e21, 2 ** 53, true, false, null],
]

export const scalar: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<unknown>(...near) },
  { weight: 1, arbitrary: fc.integer({ min: -2, max: 12 }) },
  { weight: 1, arbitrary: fc.double({ noNaN: true, noDefaultInfinity: true }) },
  { weight: 1, arbitrary: fc.string({ maxLength: 4, unit: 'grapheme' }) },
)

const plainNames = ['a', 'b', 'list', 'length', 'toString', 'constructor', '0']
export const fieldName = fc.constantFrom(...plainNames, '__proto__')

function anyJson(name: fc.Arbitrary<string>): fc.Arbitrary<unknown> {
  return fc.letrec<{ node: unknown }>(tie => ({
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      { weight: 5, arbitrary: scalar },
      { weight: 2, arbitrary: fc.array(tie('node'), { maxLength: 3 }) },
      { weight: 2, arbitrary: object(tie('node'), name) },
    ),
  })).node
}

/** What an alert can bring, `__proto__` as a member of its own and objects that cannot be made a text of included. */
export const json = anyJson(fieldName)

/** What a rule can name: `__proto__` is refused there. */
export const namedJson = anyJson(fc.constantFrom(...plainNames))

/** `fc.dictionary` would set the prototype where the key is `__proto__`. */
export function object(
  value: fc.Arbitrary<unknown>,
  name: fc.Arbitrary<string> = fieldName,
): fc.Arbitrary<Record<string, unknown>> {
  return fc.array(fc.tuple(name, value), { maxLength: 4 }).map(entries => {
    const made: Record<string, unknown> = {}
    for (const [one, inner] of entries) {
      Object.defineProperty(made, one, { value: inner, enumerable: true, configurable: true, writable: true })
    }
    return made
  })
}
