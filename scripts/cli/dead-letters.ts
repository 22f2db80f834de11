import type {
  Bytes,
  DeadLetterResource,
  DeadLettersReport,
  DeadLettersSettled,
  DeadLetterWhole,
} from '@tocsin/contracts/dead-letter'
import { deadLetterStates } from '@tocsin/contracts/dead-letter'
import type { Page } from '@tocsin/contracts/http'
import { type Command, type Invocation, oneOf, UsageError, wholeNumber } from './command.ts'
import { connectRunningStack, type StackClient } from './stack-client.ts'
import { aligned } from './status.ts'

const usualLimit = 50
const usualDays = 7

export const command: Command = {
  help: `dead-letters [list | show ID | replay ID... | discard ID... | report] [--state STATE] [--error-code CODE]
              [--service NAME] [--topic TOPIC] [--since TIME] [--limit N] [--all] [--days N] [--json]

Records that a service could not handle: what they were, why, and what to do with them.

  list              those that match, newest first; without a state all of them
  show ID           one, with its record: key, headers and value
  replay ID...      publishes them again, as they were, to the topic that they came from. Instead of ids: a filter, or
                    --all, for every letter of it that waits
  discard ID...     nobody needs them; they are no longer shown as waiting. Filter and --all as for replay
  report            how many there were each day (UTC), by error code

  --state STATE     of a list: ${deadLetterStates.join(', ')}
  --error-code CODE, --service NAME, --topic TOPIC
                    those with this error, of this service, from this topic
  --since TIME      those that failed then or later: 2026-11-22T08:00:00Z
  --limit N         of a list: as many at most (${usualLimit})
  --all             of replay and discard: every letter that waits
  --days N          of a report: as many days, today included (${usualDays})
  --json            what the API answers and nothing else

Exit code 1 when something could not be replayed or discarded.
`,
  options: {
    state: { type: 'string' },
    'error-code': { type: 'string' },
    service: { type: 'string' },
    topic: { type: 'string' },
    since: { type: 'string' },
    limit: { type: 'string' },
    days: { type: 'string' },
    all: { type: 'boolean' },
    json: { type: 'boolean' },
  },
  maxPositionals: 1_000,

  async run(invocation) {
    const [action = 'list', ...ids] = invocation.positionals
    const entry = Object.hasOwn(actions, action) ? actions[action] : undefined
    if (entry === undefined) throw new UsageError(`Dead letters cannot be asked to ${action}`)
    const misplaced = Object.keys(invocation.values).find(name => name !== 'json' && !entry.options.includes(name))
    if (misplaced !== undefined) throw new UsageError(`--${misplaced} is not of ${action}`)
    if (ids.length > entry.maxIds) throw new UsageError(`What is ${ids[entry.maxIds]}?`)
    const work = entry.prepare(invocation, ids)
    const stack = connectRunningStack(invocation.home)
    return work(stack, `${stack.urls.rule_service}/api/v1/dead-letters`)
  },
}

interface Action {
  readonly options: readonly string[]
  readonly maxIds: number
  /** Refuses what is wrong, before anything is asked for. */
  prepare(invocation: Invocation, ids: readonly string[]): (stack: StackClient, url: string) => Promise<number>
}

const filterOptions = ['error-code', 'service', 'topic', 'since']

const actions: Readonly<Record<string, Action>> = {
  list: {
    options: [...filterOptions, 'state', 'limit'],
    maxIds: 0,
    prepare({ values }) {
      oneOf('state', values.state, deadLetterStates)
      const limit = wholeNumber('limit', values.limit, { min: 1, max: 100_000 }) ?? usualLimit
      const query = filterOf(values, 'state')
      return async (stack, url) => show(values, await list(stack, url, query, limit), listed)
    },
  },
  show: {
    options: [],
    maxIds: 1,
    prepare({ values }, [id]) {
      if (id === undefined) throw new UsageError('show needs the id of a dead letter')
      return async (stack, url) =>
        show(values, await stack.call<DeadLetterWhole>('GET', `${url}/${encodeURIComponent(id)}`), whole)
    },
  },
  replay: settling('replay', 'replayed'),
  discard: settling('discard', 'discarded'),
  report: {
    options: ['days'],
    maxIds: 0,
    prepare({ values }) {
      const days = wholeNumber('days', values.days, { min: 1, max: 366 }) ?? usualDays
      return async (stack, url) =>
        show(values, await stack.call<DeadLettersReport>('GET', `${url}/report?days=${days}`), report)
    },
  },
}

function settling(action: 'replay' | 'discard', done: string): Action {
  return {
    options: [...filterOptions, 'all'],
    maxIds: 1_000,
    prepare({ values }, ids) {
      const filter = filterOf(values)
      const ways = [ids.length > 0, Object.keys(filter).length > 0, values.all === true].filter(Boolean).length
      if (ways !== 1) throw new UsageError(`${action} needs ids, or a filter, or --all: one of the three`)
      if (ids.length > 0)
        return (stack, url) => settleEach(stack, url, { action, done, ids, json: values.json === true })
      const selection = values.all === true ? { all: true } : filter
      return async (stack, url) => {
        const answer = await settleSelection(stack, `${url}/${action}`, selection)
        const waiting = answer.skipped > 0 ? `; ${answer.skipped} cannot be ${done} and wait on` : ''
        show(values, answer, ({ settled }) => `${settled} ${done}${waiting}`)
        return answer.skipped > 0 ? 1 : 0
      }
    },
  }
}

/** As the API names them. */
function filterOf(values: Invocation['values'], ...more: readonly string[]): Record<string, string> {
  const given = [...filterOptions, ...more].flatMap(name =>
    typeof values[name] === 'string' ? [[name.replace('-', '_'), values[name]] as const] : [],
  )
  return Object.fromEntries(given)
}

const pageSizeMax = 200

async function list(stack: StackClient, url: string, query: Record<string, string>, limit: number) {
  const items: DeadLetterResource[] = []
  for (let cursor: string | null = ''; cursor !== null && items.length < limit; ) {
    const size = String(Math.min(pageSizeMax, limit - items.length))
    const search = new URLSearchParams({ ...query, limit: size, ...(cursor && { cursor }) })
    const page: Page<DeadLetterResource> = await stack.call('GET', `${url}?${search}`)
    items.push(...page.items)
    cursor = page.next_cursor
  }
  return { items }
}

/** One by one: what is wrong with one of them says nothing of the others. */
async function settleEach(
  stack: StackClient,
  url: string,
  { action, done, ids, json }: { action: string; done: string; ids: readonly string[]; json: boolean },
): Promise<number> {
  const items: DeadLetterResource[] = []
  let failures = 0
  for (const id of ids) {
    try {
      items.push(await stack.call<DeadLetterResource>('POST', `${url}/${encodeURIComponent(id)}/${action}`))
      if (!json) process.stdout.write(`${id} is ${done}\n`)
    } catch (error) {
      if (!(error instanceof Error)) throw error
      failures++
      process.stderr.write(`${error.message}\n`)
    }
  }
  if (json) process.stdout.write(`${JSON.stringify({ items }, undefined, 2)}\n`)
  return failures > 0 ? 1 : 0
}

/** The API does a bounded part at a time. Ends also when a part brought nothing: what cannot be done now stays. */
async function settleSelection(stack: StackClient, url: string, selection: object): Promise<DeadLettersSettled> {
  let settled = 0
  for (let upTo: string | null = null; ; ) {
    const body = { ...selection, ...(upTo !== null && { up_to: upTo }) }
    const answer: DeadLettersSettled = await stack.call('POST', url, body)
    settled += answer.settled
    upTo = answer.up_to
    if (!answer.more || answer.settled === 0) return { ...answer, settled }
  }
}

function show<Body>(values: Invocation['values'], body: Body, print: (body: Body) => string): number {
  process.stdout.write(`${values.json ? JSON.stringify(body, undefined, 2) : print(body)}\n`)
  return 0
}

function listed({ items }: { items: readonly DeadLetterResource[] }): string {
  if (items.length === 0) return 'There are none'
  const rows = items.map(({ dead_letter_id, state, last_failed_at, error, service, source }) => {
    return [dead_letter_id, state, last_failed_at, error.code, service, placeOf(source)]
  })
  return table([['', 'state', 'failed', 'error', 'service', 'from'], ...rows])
}

const placeOf = ({ topic, partition, offset }: DeadLetterResource['source']) => `${topic}/${partition} at ${offset}`

function whole(letter: DeadLetterWhole): string {
  const { source, error, value } = letter
  const settled = letter.settled_at === null ? '' : ` at ${letter.settled_at} with ${letter.settled_by}`
  const omitted = 'too large to be kept: it is only at its source, until that forgets it'
  const headers = letter.headers.map(({ name, value: text }) => ['', `${name}: ${shown(text)}`])
  const facts = [
    ['letter', letter.dead_letter_id],
    ['state', `${letter.state}${settled}`],
    ['service', `${letter.service}, ${letter.stage}`],
    ['from', `${placeOf(source)}, of ${source.timestamp ?? 'no time'}`],
    ['error', `${error.code}: ${error.message}`],
    ['failed', `${letter.attempts} times, first ${letter.first_failed_at}, last ${letter.last_failed_at}`],
    ['key', shown(letter.key)],
    ['headers', headers.length === 0 ? 'none' : String(headers.length)],
    ...headers,
    ['value', letter.value_omitted ? omitted : value === null ? 'none' : `${letter.value_bytes} bytes`],
  ]
  return value === null ? table(facts) : `${table(facts)}\n\n${printable(shown(value), '\t\n')}`
}

function shown(bytes: Bytes | null): string {
  if (bytes === null) return 'none'
  return bytes.text ?? `base64 ${bytes.base64}`
}

const table = (rows: readonly (readonly string[])[]) => aligned(rows.map(row => row.map(cell => printable(cell))))

/** Somebody else's bytes must not steer the terminal: control characters are shown as JSON writes them. */
function printable(text: string, but = ''): string {
  return text.replace(/\p{Cc}/gu, character =>
    but.includes(character) ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function report({ days, items }: DeadLettersReport): string {
  if (items.length === 0) return `There were none in ${days === 1 ? 'one day' : `${days} days`}`
  const rows = items.map(({ day, error_code, letters, waiting }) => [day, error_code, String(letters), String(waiting)])
  return table([['', 'error', 'letters', 'waiting'], ...rows])
}
