import { createTransport } from 'nodemailer'
import type { NodemailerError } from 'nodemailer/lib/errors'
import { z } from 'zod'
import type { Channel, Message, Outcome } from '../channel.ts'
import { composeMail } from './compose.ts'
import { outcomeOfSmtpFailure } from './smtp-verdict.ts'

const targetSchema = z.object({ to: z.array(z.string()).min(1) })

export interface EmailOptions {
  smtpUrl: string
  from: string
  connections: number
}

/** Mails the message to all addresses of the endpoint at once, through connections that stay open. */
export function createEmailChannel({ smtpUrl, from, connections }: EmailOptions): Channel {
  const transport = createTransport({
    url: smtpUrl,
    pool: true,
    maxConnections: connections,
    maxMessages: Number.POSITIVE_INFINITY,
    // Once, for a connection that the server ended while it was idle. Other retries are ours, and leave a record.
    maxRequeues: 1,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  const domain = /@([^\s@<>]+?)>?$/.exec(from)?.[1] ?? 'localhost'
  return {
    async send(message, recipient, timeout) {
      const target = targetSchema.safeParse(recipient.target)
      if (!target.success) return { verdict: 'permanent', errorCode: 'bad_target' }
      try {
        const sent = await transport.sendMail({
          from,
          // As objects, so that nothing in an address is read as a list, a group or a display name.
          to: target.data.to.map(address => ({ name: '', address })),
          messageId: `<${message.deliveryId}@${domain}>`,
          headers: { 'auto-submitted': 'auto-generated', ...severityHeaders(message) },
          signal: timeout,
          ...composeMail(message),
        })
        return outcomeOfSent(sent)
      } catch (error) {
        return outcomeOfSmtpFailure(error as NodemailerError)
      }
    },
    close: () => transport.close(),
  }
}

/** Mail clients show it, and people filter by it. */
function severityHeaders({ alert }: Message): Record<string, string> {
  const urgent = alert.status === 'firing' && (alert.severity === 'CRITICAL' || alert.severity === 'HIGH')
  return { 'x-tocsin-severity': alert.severity, ...(urgent && { importance: 'high' }) }
}

/** When some recipients were refused the others have the mail: another attempt would tell those twice. */
function outcomeOfSent(sent: { response?: string; rejected?: readonly unknown[] }): Outcome {
  const reply = sent.response ?? ''
  const replyCode = Number.parseInt(reply, 10)
  return {
    verdict: 'delivered',
    reply,
    ...(Number.isInteger(replyCode) && { replyCode }),
    ...(sent.rejected !== undefined && sent.rejected.length > 0 && { errorCode: 'some_recipients_refused' }),
  }
}
