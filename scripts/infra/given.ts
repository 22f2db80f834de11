import { CliError } from '../report.ts'
import type { InfraPart, PartContext, PartName } from './infra-part.ts'
import { type Address, becomesTrue, canConnect } from './probes.ts'

/** By which variable a server is given, and which port its URL means when it names none. */
const variables: Readonly<Record<PartName, { name: string; defaultPort: number }>> = {
  postgres: { name: 'DATABASE_URL', defaultPort: 5432 },
  kafka: { name: 'KAFKA_BROKERS', defaultPort: 9092 },
  redis: { name: 'REDIS_URL', defaultPort: 6379 },
  mail: { name: 'SMTP_URL', defaultPort: 25 },
}

const reachableWithinMs = 30_000

export function variableOf(part: PartName): string {
  return variables[part].name
}

export function isGiven(part: PartName, env: NodeJS.ProcessEnv): boolean {
  return Boolean(env[variables[part].name])
}

/** A server that somebody else runs: all that is ours to do is to see that it is there. */
export function givenPart(name: PartName, { env, report }: PartContext): InfraPart {
  const variable = variables[name]
  const value = env[variable.name] ?? ''
  const addresses = addressesIn(value, variable.defaultPort)
  return {
    name,
    kind: 'given',
    settings: {
      [variable.name]: value,
      ...(name === 'mail' && env.MAIL_WEB_URL ? { MAIL_WEB_URL: env.MAIL_WEB_URL } : {}),
    },
    async start() {
      const anyAnswers = async () => {
        for (const address of addresses) if (await canConnect(address)) return true
        return false
      }
      const shown = addresses.map(({ host, port }) => `${host}:${port}`).join(', ')
      if (!(await becomesTrue(anyAnswers, { withinMs: reachableWithinMs, everyMs: 500 }))) {
        throw new CliError(`${variable.name} is given, but nothing answers at ${shown}`)
      }
      report(name, `given by ${variable.name}: ${shown}`)
    },
    stop: async () => {},
    kill: () => Promise.reject(new CliError(`${name} is given by ${variable.name}: it is not ours to kill`)),
  }
}

/** A URL, or Kafka's list of host:port. Credentials in it are not for the terminal, so only these are shown. */
export function addressesIn(value: string, defaultPort: number): Address[] {
  const urls = value.includes('://') ? [value] : value.split(',').map(address => `tcp://${address.trim()}`)
  return urls.map(text => {
    const { hostname, port } = new URL(text)
    return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || defaultPort) }
  })
}
