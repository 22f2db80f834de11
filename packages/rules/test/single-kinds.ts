/** Rules of which each asks one kind of thing and nothing else, and alerts for which few of them hold. */
export interface SingleKind {
  rule(number: number): object
  alert(number: number): object
}

const clause = (operator: string, value: unknown, path = '$.x') => ({ fact: 'context', path, operator, value })
const only = (operator: string, value: (number: number) => unknown) => ({
  rule: (number: number) => ({ all: [clause(operator, value(number))] }),
})
const with_ = (x: (number: number) => unknown) => ({ alert: (number: number) => ({ context: { x: x(number) } }) })

const host = (number: number) => `host-${number}.example`
const address = (number: number) => `10.${number >>> 8}.${number & 255}.0`
const isHost = { ...with_(host) }

export const singleKinds: Readonly<Record<string, SingleKind>> = {
  equal: { ...only('equal', host), ...isHost },
  'equal to numbers': { ...only('equal', number => number), ...with_(number => number) },
  in: { ...only('in', number => [host(number), host(number + 1)]), ...isHost },
  'not of notEqual': { rule: number => ({ not: clause('notEqual', host(number)) }), ...isHost },
  'not of any': {
    rule: number => ({ not: { any: [clause('notEqual', host(number)), clause('equal', 'x')] } }),
    ...isHost,
  },
  'not of lessThan': {
    rule: number => ({ not: clause('lessThan', number * 10) }),
    ...with_(number => (number % 20) * 10 + 5),
  },
  'not:notIn': { ...only('not:notIn', number => [host(number)]), ...isHost },
  'not of not:startsWith': { rule: number => ({ not: clause('not:startsWith', `host-${number}.`) }), ...isHost },
  'not of not:lessThan': {
    rule: number => ({ not: clause('not:lessThan', -number * 10) }),
    ...with_(number => -(number % 20) * 10 - 5),
  },
  'not of everyValue:notEqual': {
    rule: number => ({ not: clause('everyValue:notEqual', [host(number), 'x']) }),
    ...isHost,
  },
  any: { rule: number => ({ any: [clause('equal', host(number)), clause('endsWith', `-${number}`)] }), ...isHost },
  greaterThan: { ...only('greaterThan', number => number * 10), ...with_(number => (number % 20) * 10 + 5) },
  lessThanInclusive: {
    ...only('lessThanInclusive', number => -number * 10),
    ...with_(number => String(-(number % 20) * 10 - 5)),
  },
  'two bounds': {
    rule: number => ({ all: [clause('greaterThan', number * 10), clause('lessThan', number * 10 + 15)] }),
    ...with_(number => number * 10 + 5),
  },
  between: { ...only('between', number => [number * 10, number * 10 + 15]), ...with_(number => number * 10 + 5) },
  'bounds that are texts': {
    ...only('greaterThan', number => `2026-${String(number).padStart(6, '0')}`),
    ...with_(number => `2026-${String(number % 20).padStart(6, '0')}x`),
  },
  startsWith: { ...only('startsWith', number => `host-${number}.`), ...isHost },
  endsWith: { ...only('endsWith', number => `-${number}.example`), ...isHost },
  'wildcard text*': { ...only('wildcard', number => `host-${number}.*`), ...isHost },
  'wildcard *text': { ...only('wildcard', number => `*-${number}.example`), ...isHost },
  'wildcard *text*': { ...only('wildcard', number => `*-${number}.*`), ...isHost },
  'wildcard without a star': { ...only('wildcard', host), ...isHost },
  matches: { ...only('matches', number => `host-${number}\\.[a-z]+`), ...isHost },
  'matches in the middle': { ...only('matches', number => `.*-${number}\\..*`), ...isHost },
  'matches alternatives': { ...only('matches', number => `(host|node)-${number}\\..*|x`), ...isHost },
  'matches in any case': { ...only('matches', number => `(?i)HOST-${number}\\.[a-z]+`), ...isHost },
  'matches in any case, in the middle': { ...only('matches', number => `(?i).*-${number}\\.EX.*`), ...isHost },
  'matches across lines': { ...only('matches', number => `(?s)host-${number}\\..*`), ...isHost },
  'matches with escapes': {
    ...only('matches', number => `host\\t-${number}\\x2e\\w+]`),
    ...with_(number => `host\t-${number}.example]`),
  },
  'someFact:matches in any case': {
    ...only('someFact:matches', number => `(?i)HOST-${number}\\..*`),
    ...with_(number => ['a', host(number)]),
  },
  equalsIgnoreCase: { ...only('equalsIgnoreCase', number => host(number).toUpperCase()), ...isHost },
  cidr: { ...only('cidr', number => `${address(number)}/24`), ...with_(number => address(number).replace(/0$/, '7')) },
  'cidr of IPv6': {
    ...only('cidr', number => `2001:db8:${number.toString(16)}::/48`),
    ...with_(number => `2001:db8:${number.toString(16)}::7`),
  },
  contains: { ...only('contains', host), ...with_(number => ['a', host(number)]) },
  'someFact:startsWith': { ...only('someFact:startsWith', number => `host-${number}.`), ...with_(n => ['a', host(n)]) },
  'everyFact:equal': { ...only('everyFact:equal', host), ...with_(number => [host(number), host(number)]) },
  'someValue:startsWith': {
    ...only('someValue:startsWith', number => [`host-${number}.`, `node-${number}.`]),
    ...isHost,
  },
  'everyValue:contains': {
    ...only('everyValue:contains', number => [host(number), 'a']),
    ...with_(n => ['a', host(n)]),
  },
  'not:doesNotContain': { ...only('not:doesNotContain', host), ...with_(number => ['a', host(number)]) },
  'not of doesNotContain': {
    rule: number => ({ not: clause('doesNotContain', host(number)) }),
    ...with_(number => ['a', host(number)]),
  },
  'not of not:someFact:equal': {
    rule: number => ({ not: clause('not:someFact:equal', host(number)) }),
    ...with_(number => ['a', host(number)]),
  },
  'not:everyFact:notEqual': { ...only('not:everyFact:notEqual', host), ...with_(number => ['a', host(number)]) },
  'someFact:contains': { ...only('someFact:contains', host), ...with_(number => ['a', ['b', host(number)]]) },
  'swap:startsWith': { ...only('swap:startsWith', number => `${host(number)}.org`), ...isHost },
  'swap:endsWith': { ...only('swap:endsWith', number => `https://${host(number)}`), ...isHost },
  'doesNotContain, of fields of their own': {
    rule: number => ({ all: [clause('doesNotContain', 'x', `$.field${number}`)] }),
    alert: number => ({ context: { [`field${number}`]: ['a'] } }),
  },
  'doesNotContain, of what is no list': {
    rule: number => ({ any: [clause('doesNotContain', host(number)), clause('equal', host(number))] }),
    ...isHost,
  },
  'matches without text, of fields of their own': {
    rule: number => ({ all: [clause('matches', '[a-z]+', `$.field${number}`)] }),
    alert: number => ({ context: { [`field${number}`]: 'a' } }),
  },
  'compared with a list, in fields of their own': {
    rule: number => ({ all: [clause('lessThan', [number], `$.field${number}`)] }),
    alert: number => ({ context: { [`field${number}`]: -1 } }),
  },
  exists: {
    rule: number => ({ all: [clause('exists', true, `$.field${number}`)] }),
    alert: number => ({ context: { [`field${number}`]: null } }),
  },
  'exists beside its opposite': {
    rule: number => ({ all: [clause('exists', true, `$.a${number}`), clause('exists', false, `$.b${number}`)] }),
    alert: number => ({ context: { [`a${number}`]: 1, [`b${number + 1}`]: 1 } }),
  },
  element: {
    ...only('element', number => ({
      all: [
        { field: 'name', operator: 'equal', value: host(number) },
        { field: 'used', operator: 'greaterThan', value: 90 },
      ],
    })),
    ...with_(number => [
      { name: 'a', used: 99 },
      { name: host(number), used: 95 },
    ]),
  },
  'element in any case': {
    ...only('element', number => ({ all: [{ field: 'name', operator: 'matches', value: `(?i)HOST-${number}\\..*` }] })),
    ...with_(number => [{ name: 'a' }, { name: host(number) }]),
  },
  'not of an element that is not': {
    rule: number => ({
      not: clause('element', { not: { field: 'name', operator: 'equal', value: host(number) } }),
    }),
    ...with_(number => [{ name: host(number) }, { name: host(number) }]),
  },
  'element in an element': {
    ...only('element', number => ({
      any: [
        {
          field: 'parts',
          operator: 'element',
          value: { all: [{ field: 'name', path: '$.of', operator: 'startsWith', value: `host-${number}.` }] },
        },
      ],
    })),
    ...with_(number => [{ parts: [{}, { name: { of: host(number) } }] }]),
  },
}
