import { CliError } from '../report.ts'
import { type InfraPart, type PartContext, type PartKind, type PartName, partNames } from './infra-part.ts'
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

/** The servers that somebody else runs; none of them when the caller wants others than those in the environment. */
export function givenParts(kind: PartKind | undefined, env: NodeJS.ProcessEnv): PartName[] {
  if (kind !== undefined && kind !== 'given') return []
  return partNames.filter(part => env[variables[part].name])
}

/** Of a given server: why its address cannot be one; undefined when it can. */
export function addressProblem(part: PartName, env: NodeJS.ProcessEnv): string | undefined {
  const wrong = urlsIn(env[variables[part].name] ?? '').some(url => !URL.canParse(url))
  return wrong ? 'must be a URL or host:port, with a port up to 65535' : undefined
}

/** A server that somebody else runs: all that is ours to do is to see that it is there. */
export function givenPart(name: PartName, { env, report, signal }: PartContext): InfraPart {
  const variable = variables[name]
  const value = env[variable.name] ?? ''
  const problem = addressProblem(name, env)
  if (problem !== undefined) throw new CliError(`${variable.name}: ${problem}`, 2)
  const addresses = addressesIn(value, variable.defaultPort)
  return {
    name,
    kind: 'given',
    settings: {
      [variable.name]: value,
      ...(name === 'mail' && env.MAIL_WEB_URL ? { MAIL_WEB_URL: env.MAIL_WEB_URL } : {}),
    },
    async start() {
      const shown = addresses.map(({ host, port }) => `${host}:${port}`).join(', ')
      let told = false
      const anyAnswers = async () => {
        for (const address of addresses) if (await canConnect(address)) return true
        if (!told) report(name, `waiting for the server of ${variable.name} at ${shown}`)
        told = true
        return false
      }
      const check = () => signal.throwIfAborted()
      if (!(await becomesTrue(anyAnswers, { withinMs: reachableWithinMs, everyMs: 500, check }))) {
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
  return urlsIn(value).map(text => {
    const { hostname, port } = new URL(text)
    return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port || defaultPort) }
  })
}

function urlsIn(value: string): string[] {
  return value.includes('://') ? [value] : value.split(',').map(address => `tcp://${address.trim()}`)
}
