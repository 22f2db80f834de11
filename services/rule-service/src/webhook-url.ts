import { BlockList, isIP } from 'node:net'

/** This machine, by whichever of its names; "any address" connects to it as well. */
const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addSubnet('0.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')
loopback.addAddress('::', 'ipv6')

/** Why a webhook may not go there, or undefined. Looks at the text alone: what a name resolves to, the sender sees. */
export function webhookUrlProblem(text: string, { allowLoopback }: { allowLoopback: boolean }): string | undefined {
  // The URL parser drops tabs and line ends and trims blanks, so what was stored would not be what is called.
  const url = /[\s\p{Cc}]/u.test(text) ? null : URL.parse(text)
  if (url === null) return 'must be a URL, like https://hooks.example.org/alerts'
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must be an https URL'
  if (url.username !== '' || url.password !== '') return 'must not contain a user or password'
  const isLocal = isLoopback(url.hostname)
  if (isLocal && !allowLoopback) return 'must not point to this machine'
  if (url.protocol === 'http:' && !isLocal) return 'must be an https URL'
  return undefined
}

/** The parser has turned 0x7f.1 and 2130706433 into 127.0.0.1 by now. */
function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '')
  const version = isIP(host)
  if (version === 0) return host === 'localhost' || host.endsWith('.localhost') || host === ''
  return loopback.check(host, version === 4 ? 'ipv4' : 'ipv6')
}
