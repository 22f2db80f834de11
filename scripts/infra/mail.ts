import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { cloneFolder, logFileOf } from '../home.ts'
import { type InfraPart, type PartContext, processPart } from './infra-part.ts'
import type { InfraPorts } from './infra-ports.ts'
import { loopback } from './ports.ts'
import { httpAnswers, smtpAnswers } from './probes.ts'

/** The mail catcher: takes every mail by SMTP, shows them on a web page, sends none. */
export function embeddedMail(context: PartContext, { smtp, mail_web: web }: InfraPorts): InfraPart {
  const webUrl = `http://${loopback}:${web}`
  const folder = join(context.home.data, 'mail')
  return processPart(
    {
      name: 'mail',
      title: `catcher on port ${smtp}, read at ${webUrl}`,
      port: smtp,
      settings: { SMTP_URL: `smtp://${loopback}:${smtp}`, MAIL_WEB_URL: webUrl },
      async prepare() {
        mkdirSync(folder, { recursive: true })
        const options = { smtp, web, ip: loopback, 'mail-directory': folder }
        return {
          name: 'mail',
          command: process.execPath,
          args: [
            join(cloneFolder, 'node_modules/maildev/bin/maildev'),
            '--silent',
            ...Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
          ],
          env: context.env,
          logFile: logFileOf(context.home, 'mail'),
          stopSteps: [{ signal: 'SIGTERM', graceMs: 3_000 }],
        }
      },
      answers: async () =>
        (await smtpAnswers({ host: loopback, port: smtp })) && (await httpAnswers(`${webUrl}/healthz`)),
    },
    context,
  )
}
