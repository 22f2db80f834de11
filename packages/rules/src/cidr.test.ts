import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { cidr, parseNetwork } from './cidr.ts'
import { formatAddress, parseAddress } from './ip-address.ts'

const v4 = fc.ipV4().filter(text => !/\b0\d/.test(text))

describe('parseAddress', () => {
  it('reads every IPv6 address as the number that it writes', () => {
    fc.assert(
      fc.property(fc.ipV6(), text => {
        const words = parseAddress(text)
        expect(words).toHaveLength(4)
        expect(parseAddress(formatAddress(words as number[]))).toEqual(words)
      }),
      { numRuns: 500 },
    )
  })

  it('reads IPv4 as one word', () => {
    fc.assert(
      fc.property(v4, text => {
        expect(formatAddress(parseAddress(text) as number[])).toBe(text)
      }),
    )
    expect(parseAddress('255.255.255.255')).toEqual([0xffffffff])
  })

  it.each([
    ...[
      '',
      '1.2.3',
      '1.2.3.4.5',
      '01.2.3.4',
      '1.2.3.256',
      '1.2.3.04',
      '0x1.2.3.4',
      ' 1.2.3.4',
      '1.2.3.4 ',
      '1.2.3.4:80',
    ],
    ...['1.2.3.4\n', '１.2.3.4', '1..2.3', '-1.2.3.4', '1e1.2.3.4', '10.0.0.0/8', '16909060'],
    ...[
      ':',
      ':::',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '1:2:3:4:5:6:7:8::',
      '::1::',
      '12345::',
      'g::',
      'fe80::1%eth0',
    ],
    ...['::1.2.3', '::1.2.3.256', '1.2.3.4::', '::1.2.3.4:5', '[::1]', ':1::2', '1:2:3:4:5:6:7:', '::01.2.3.4'],
  ])('refuses %j', text => {
    expect(parseAddress(text)).toBeUndefined()
  })

  it.each([
    ['::', [0, 0, 0, 0]],
    ['1::', [0x10000, 0, 0, 0]],
    ['1:2:3:4:5:6:7::', [0x10002, 0x30004, 0x50006, 0x70000]],
    ['::ffff:1.2.3.4', [0, 0, 0xffff, 0x01020304]],
    ['2001:DB8::0001', [0x20010db8, 0, 0, 1]],
    ['1:2:3:4:5:6:1.2.3.4', [0x10002, 0x30004, 0x50006, 0x01020304]],
  ])('reads %s', (text, words) => {
    expect(parseAddress(text)).toEqual(words)
  })
})

describe('cidr', () => {
  it.each([
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['0.0.0.0/0', '255.1.2.3', true],
    ['128.0.0.0/1', '128.0.0.0', true],
    ['10.1.2.3', '10.1.2.3', true],
    ['10.1.2.3/32', '10.1.2.4', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['::ffff:10.0.0.0/104', '10.1.2.3', true],
    ['::/0', '::ffff:10.1.2.3', true],
    ['::/0', '10.1.2.3', false],
    ['0.0.0.0/0', '::1', false],
    ['2001:db8::/33', '2001:db8:7fff::1', true],
    ['2001:db8::/33', '2001:db8:8000::1', false],
    ['fe80::/10', 'febf::1', true],
    [['10.0.0.0/8', '192.168.0.0/16', '::1'], '192.168.3.4', true],
    [['10.0.0.0/8', '192.168.0.0/16', '::1'], '0:0:0:0:0:0:0:1', true],
    [[], '10.0.0.1', false],
    ['10.0.0.0/8', 167772161, false],
    ['10.0.0.0/8', ['10.0.0.1'], false],
    ['10.0.0.0/8', '10.0.0.1/32', false],
  ])('%j holds %j: %s', (networks, address, expected) => {
    expect(cidr.holds(address, networks)).toBe(expected)
  })

  it('compares as many leading bits as the prefix says', () => {
    const bits = (words: readonly number[]) => words.map(word => word.toString(2).padStart(32, '0')).join('')
    fc.assert(
      fc.property(fc.ipV6(), fc.ipV6(), fc.nat(128), (one, other, prefix) => {
        const start = bits(parseAddress(one) as number[])
          .slice(0, prefix)
          .padEnd(128, '0')
        const words = [0, 32, 64, 96].map(at => Number.parseInt(start.slice(at, at + 32), 2))
        const expected = bits(parseAddress(other) as number[]).startsWith(start.slice(0, prefix))
        expect(cidr.holds(other, `${formatAddress(words)}/${prefix}`)).toBe(expected)
        expect(cidr.holds(one, `${formatAddress(words)}/${prefix}`)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('of a list is in the list if it is in one of them', () => {
    const near = fc.tuple(fc.constantFrom('10.0.0.', '10.0.1.', '::', '::1:', '::ffff:0:'), fc.nat(9), fc.nat(8))
    const network = near.map(([start, last, bits]) => {
      const prefix = (start.includes(':') ? 128 : 32) - bits
      return `${start}${(last >> bits) << bits}/${prefix}`
    })
    fc.assert(
      fc.property(fc.array(network, { maxLength: 8 }), near, (networks, [start, last]) => {
        const expected = networks.some(one => cidr.holds(`${start}${last}`, one))
        expect(cidr.holds(`${start}${last}`, networks)).toBe(expected)
      }),
      { numRuns: 2_000 },
    )
  })

  it('takes nothing apart and puts nothing together to ask of an address, however many prefix lengths there are', () => {
    const holds = cidr.compile(Array.from({ length: 128 }, (_, index) => `8000::/${index + 1}`))
    const spies = [vi.spyOn(Array.prototype, 'join'), vi.spyOn(String.prototype, 'split')]
    const verdicts = [holds('7fff::1'), holds('8000:0:1::1')]
    const calls = spies.map(spy => spy.mock.calls.length)
    for (const spy of spies) spy.mockRestore()
    expect({ verdicts, calls }).toEqual({ verdicts: [false, true], calls: [0, 0] })
  })

  it.each([
    ['10.1.2.3/8', 'write 10.0.0.0/8 for the network or 10.1.2.3 for one address'],
    ['2001:db8::1/32', 'write 2001:db8::/32 for the network'],
    ['10.0.0.0/33', 'from 0 to 32'],
    ['10.0.0.0/08', 'from 0 to 32'],
    ['10.0.0.0/', 'from 0 to 32'],
    ['::/129', 'from 0 to 128'],
    ['10.0.0.0/8/8', 'must be an IPv4 or IPv6 network'],
    ['10.0.0/8', 'must be an IPv4 or IPv6 network'],
    ['example.org', 'must be an IPv4 or IPv6 network'],
  ])('%s is no network', (text, why) => {
    expect(parseNetwork(text)).toEqual({ problem: expect.stringContaining(why) })
  })
})
