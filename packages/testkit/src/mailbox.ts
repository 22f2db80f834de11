import { testServers } from './servers.ts'

export interface ReceivedMail {
  id: string
  subject: string
  text: string
  html: string
  messageId: string
  to: { address: string }[]
  from: { address: string }[]
}

/** What the development mail catcher has for one address. Every test uses addresses of its own. */
export async function mailsTo(address: string): Promise<ReceivedMail[]> {
  const response = await fetch(`${testServers().mailWebUrl}/email`)
  const mails = (await response.json()) as ReceivedMail[]
  return mails.filter(mail => mail.to.some(to => to.address === address))
}
