import { expect, test } from 'vitest'
import { outcomeOfSmtpFailure, verdictOfReply } from './smtp-verdict.ts'

const aboutTheSession = [503, 530]

test.each(['EENVELOPE', 'EMESSAGE'])('every reply to the mail itself (%s): 4yz is retried, 5yz is not', code => {
  for (let reply = 400; reply < 600; reply++) {
    const verdict = reply < 500 || aboutTheSession.includes(reply) ? 'retry' : 'permanent'
    expect([reply, verdictOfReply(code, reply)]).toEqual([reply, verdict])
  }
})

test.each(['EAUTH', 'EPROTOCOL', 'ETLS', 'ECONNECTION'])(
  'a refusal before the mail (%s) is retried, whatever the reply',
  code => {
    for (let reply = 400; reply < 600; reply++) expect([reply, verdictOfReply(code, reply)]).toEqual([reply, 'retry'])
  },
)

test.each(['ECONNECTION', 'ESOCKET', 'ETIMEDOUT', 'EABORT', 'EDNS', 'ETLS', 'EPROTOCOL', undefined])(
  'no reply at all (%s) is retried',
  code => expect(verdictOfReply(code, undefined)).toBe('retry'),
)

test('an address that cannot be written down is not tried again', () => {
  expect(verdictOfReply('EENVELOPE', undefined)).toBe('permanent')
})

test('the reply of the mail server is kept, with its code', () => {
  const refused = Object.assign(new Error('no'), { code: 'EENVELOPE', responseCode: 550, response: '550 no such user' })
  expect(outcomeOfSmtpFailure(refused)).toEqual({
    verdict: 'permanent',
    errorCode: 'smtp_5xx',
    reply: '550 no such user',
    replyCode: 550,
  })
})
