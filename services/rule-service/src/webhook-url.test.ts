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
  ])('takes %s everywhere', url => {
    expect(anywhere(url)).toBeUndefined()
    expect(local(url)).toBeUndefined()
  })

  it.each([
    'http://localhost:9000/x',
    'https://localhost/x',
    'http://api.localhost/',
    'http://LOCALHOST./',
    'http://127.0.0.1:9000/',
    'http://127.8.9.1/',
    'http://2130706433/',
    'http://0x7f.1/',
    'http://0.0.0.0/',
    'http://[::1]:9000/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
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
    'https://user@hooks.example.org/',
    'http://user@localhost/',
    'hooks.example.org/alerts',
    '//hooks.example.org',
    'https://',
    'https://exa\nmple.org/',
    ' https://hooks.example.org/',
    'https://hooks.example.org/\u0000',
    '',
  ])('refuses %j everywhere', url => {
    expect(local(url)).toBeTypeOf('string')
    expect(anywhere(url)).toBeTypeOf('string')
  })
})
