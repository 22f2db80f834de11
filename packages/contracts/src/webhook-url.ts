export interface WebhookUrlRules {
  /** Whether it may go to this very machine, and there over plain http too. */
  allowLoopback: boolean
}

/**
 * Why a webhook may not go there, or undefined. Asked when an endpoint is written and again before each call, so that
 * what is refused is refused early, and what was taken is called. Looks at the text alone: which address a name leads
 * to is another question, which only the connection can answer.
 */
export function webhookUrlProblem(text: string, { allowLoopback }: WebhookUrlRules): string | undefined {
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

/** "Any address", 0.0.0.0 and ::, connects to this machine as well. */
const loopbackAddress = /^(127|0)\.\d+\.\d+\.\d+$|^\[::1?\]$|^\[::ffff:(7f[0-9a-f]{2}|[0-9a-f]{1,2}):[0-9a-f]+\]$/

/**
 * The parser has one way to write an address: by now 0x7f.1 and 2130706433 are 127.0.0.1, `[0:0::1]` is `[::1]` and
 * `[::ffff:127.0.0.1]` is `[::ffff:7f00:1]`. `node:net` would know them too, but a browser has none.
 */
function isLoopback(hostname: string): boolean {
  const host = hostname.replace(/\.$/, '')
  return host === 'localhost' || host.endsWith('.localhost') || host === '' || loopbackAddress.test(host)
}
