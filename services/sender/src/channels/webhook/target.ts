import { BlockList, isIP } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/**
 * Why this URL must not be called; undefined when it may. What is checked here is what the URL says. The address that a
 * name leads to is another question, which only the connection can answer.
 */
export function refusal(text: string, allowLoopback: boolean): string | undefined {
  const url = URL.parse(text)
  if (url === null) return 'is not a URL'
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'is neither https nor http'
  if (url.username !== '' || url.password !== '') return 'has a user or a password in it'
  if (isLoopback(url.hostname)) return allowLoopback ? undefined : 'is on loopback'
  return url.protocol === 'https:' ? undefined : 'is not https'
}

/** Of a host as URL gives it: lower case, `127.1` and `0x7f.1` already written out, IPv6 in brackets. */
function isLoopback(host: string): boolean {
  if (host === 'localhost' || host.endsWith('.localhost')) return true
  const address = host.replace(/^\[|\]$/g, '')
  const version = isIP(address)
  return version !== 0 && loopback.check(address, version === 6 ? 'ipv6' : 'ipv4')
}
