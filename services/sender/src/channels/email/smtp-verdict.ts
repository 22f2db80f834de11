import type { NodemailerError } from 'nodemailer/lib/errors'
import { type Outcome, replyText } from '../channel.ts'

/** Failures about this one mail: its envelope or its content. Anything else is about the server or our login. */
const aboutTheMail = new Set(['EENVELOPE', 'EMESSAGE', 'EMAXRECIPIENTS'])

/** 5yz replies to a mail that are not about it: out of sequence, and "log in first", which the operator can put right. */
const aboutTheSession = new Set([503, 530])

/**
 * 4yz is "not now" (full mailbox, greylisting), 5yz is "never" (no such user, refused). While greeting, turning on TLS or
 * logging in, a refusal is the operator's to put right and not the recipient's: it is retried, like no reply at all.
 */
export function verdictOfReply(code: string | undefined, replyCode: number | undefined): Outcome['verdict'] {
  if (code === undefined || !aboutTheMail.has(code)) return 'retry'
  if (replyCode === undefined) return 'permanent' // refused before it was sent: an address that cannot be written down
  return replyCode >= 500 && !aboutTheSession.has(replyCode) ? 'permanent' : 'retry'
}

export function outcomeOfSmtpFailure(error: NodemailerError): Outcome {
  const { responseCode, response, code, message } = error
  return {
    verdict: verdictOfReply(code, responseCode),
    errorCode: errorCodeOf(code, responseCode),
    reply: replyText(Buffer.from(response ?? message)),
    ...(responseCode !== undefined && { replyCode: responseCode }),
  }
}

function errorCodeOf(code: string | undefined, replyCode: number | undefined): string {
  if (code === 'EAUTH' || code === 'ENOAUTH') return 'smtp_login_failed'
  if (replyCode !== undefined) return replyCode >= 500 ? 'smtp_5xx' : 'smtp_4xx'
  if (code !== undefined && aboutTheMail.has(code)) return 'bad_target'
  if (code === 'ETIMEDOUT' || code === 'EABORT') return 'timeout'
  if (code === 'EDNS') return 'dns_failed'
  return code === 'ETLS' ? 'tls_failed' : 'connection_failed'
}
