import { expect, test } from 'vitest'
import { refusal } from './target.ts'

test.each([
  'http://localhost:9000/hook',
  'http://127.0.0.1:9000/hook',
  'http://127.1/hook',
  'http://0x7f.0.0.1/hook',
  'http://[::1]:9000/hook',
  'http://[::ffff:127.0.0.1]/hook',
  'https://localhost/hook',
])('%s is called only where the operator allows loopback', url => {
  expect(refusal(url, true)).toBeUndefined()
  expect(refusal(url, false)).toBe('is on loopback')
})

test.each([
  ['https://hooks.example.org/a?b=c', undefined],
  ['http://hooks.example.org/', 'is not https'],
  ['https://me:secret@hooks.example.org/', 'has a user or a password in it'],
  ['file:///etc/passwd', 'is neither https nor http'],
  ['not a url', 'is not a URL'],
  ['', 'is not a URL'],
])('%j outside loopback: %s', (url, reason) => {
  expect(refusal(url, true)).toBe(reason)
  expect(refusal(url, false)).toBe(reason)
})
