import { BlockList, isIP } from 'node:net'
import { describe, expect, it } from 'vitest'
import { webhookUrlProblem } from './webhook-url.ts'

const local = (url: string) => webhookUrlProblem(url, { allowLoopback: true })
const anywhere = (url: string) => webhookUrlProblem(url, { allowLoopback: false })

describe('webhookUrlProblem', () => {
  it.each([
    'https://hooks.example.org/alerts',
    'https://hooks.example.org:8443/a?b=c#d',
    'https://203.0.113.7/',
    'https://[2001:db8::1]/',
    'https://localhost.example.org/',
    'https://mylocalhost/',
    'https://127.0.0.1.example.org/',
    'https://1.127.0.0/',
    'https://[::1:2]/',
    'https://[1::]/',
    'https://[::ffff:8.8.8.8]/',
  ])('takes %s everywhere', url => {
    expect(anywhere(url)).toBeUndefined()
    expect(local(url)).toBeUndefined()
  })

  it.each([
    'http://localhost:9000/x',
    'https://localhost/x',
    'https://localhost./',
    'http://localhost./',
    'http://api.localhost/',
    'http://LOCALHOST./',
    'http://127.0.0.1:9000/',
    'http://127.0.0.1./',
    'http://127.8.9.1/',
    'http://127.1/hook',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0x7f.0.0.1/hook',
    'http://0177.0.0.1/',
    'http://0.0.0.0/',
    'https://0.0.0.0/',
    'http://0.0.0.0:1/',
    'http://0/',
    'http://[::1]:9000/',
    'http://[0:0:0:0:0:0:0:1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/hook',
    'http://[::ffff:127.255.255.254]/',
    'http://[::ffff:0.0.0.0]/',
    'http://[::ffff:0.9.9.9]/',
  ])('takes %s only where this machine may be called', url => {
    expect(anywhere(url)).toBe('must not point to this machine')
    expect(local(url)).toBeUndefined()
  })

  it.each([
    'http://hooks.example.org/',
    'http://10.0.0.1/',
    'ftp://hooks.example.org/',
    'file:///etc/passwd',
    'javascript:alert(1)',
    'https://user:password@hooks.example.org/',
    'https://me:secret@hooks.example.org/',
    'https://user@hooks.example.org/',
    'http://user@localhost/',
    'hooks.example.org/alerts',
    '//hooks.example.org',
    'not a url',
    'https://',
    'https://exa\nmple.org/',
    ' https://hooks.example.org/',
    'https://hooks.example.org/\u0000',
    '',
  ])('refuses %j everywhere', url => {
    expect(local(url)).toBeTypeOf('string')
    expect(anywhere(url)).toBeTypeOf('string')
  })

  it('agrees with node:net about which addresses are this machine', () => {
    const loopback = new BlockList()
    loopback.addSubnet('127.0.0.0', 8)
    loopback.addSubnet('0.0.0.0', 8)
    loopback.addAddress('::1', 'ipv6')
    loopback.addAddress('::', 'ipv6')
    const parts = ['0', '1', '7f', '7f00', '7fff', '80', 'ff', 'ffff']
    const groups = parts.flatMap(a => parts.map(b => `${a}:${b}`))
    const addresses = [
      ...groups.flatMap(group => [`::${group}`, `::ffff:${group}`, `${group}::`, `::ffff:0:${group}`, `::1:${group}`]),
      ...[0, 1, 126, 127, 128, 255].flatMap(a => [0, 127, 255].map(b => `${a}.${b}.0.1`)),
    ]
    for (const address of addresses) {
      const version = isIP(address)
      const expected = loopback.check(address, version === 4 ? 'ipv4' : 'ipv6')
      const refused = anywhere(`https://${version === 4 ? address : `[${address}]`}/`) !== undefined
      expect([address, refused]).toEqual([address, expected])
    }
  })
})
