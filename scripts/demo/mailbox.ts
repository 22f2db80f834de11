/** A mail as the catcher's API shows it; only what is used. */
export interface CaughtMail {
  readonly id: string
  readonly subject: string
  readonly text: string
  readonly to: readonly { readonly address: string }[]
}

export async function mailsTo(address: string, mailUrl: string): Promise<CaughtMail[]> {
  const response = await fetch(`${mailUrl}/email`)
  const mails = (await response.json()) as CaughtMail[]
  return mails.filter(mail => mail.to.some(to => to.address === address))
}
