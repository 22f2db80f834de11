import { z } from 'zod'

/** A string that the logger and JSON never show; `reveal()` is the one way to the value. */
export class Secret {
  readonly #value: string
  constructor(value: string) {
    this.#value = value
  }
  reveal(): string {
    return this.#value
  }
  toString(): string {
    return '[secret]'
  }
  toJSON(): string {
    return '[secret]'
  }
}

export const secret = () =>
  z
    .string()
    .min(1)
    .transform(value => new Secret(value))
export const flag = () => z.enum(['true', 'false', '1', '0']).transform(value => value === 'true' || value === '1')
/** Timers take no longer ones (24.8 days), and one of 0 would never rest. */
export const durationMs = () => z.coerce.number().int().min(1).max(2_147_483_647)
export const count = () => z.coerce.number().int().min(1)

const levels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const

/** The settings that every process has. `port` is the default of the service that spreads this. */
export const processSettings = (port: number) => ({
  LOG_LEVEL: z.enum(levels).default('info').describe('least severe level that is logged'),
  HOST: z.string().min(1).default('0.0.0.0').describe('address that the HTTP port listens on'),
  PORT: z.coerce.number().int().min(0).max(65_535).default(port).describe('HTTP port; 0 takes a free one'),
  STOP_GRACE_MS: durationMs().default(10_000).describe('how long a stop may take before the process gives up'),
})

/** Of the service that takes the URLs of webhooks and of the one that calls them: to allow it in one alone is no use. */
export const webhookSettings = {
  ALLOW_LOOPBACK_WEBHOOKS: flag()
    .default(false)
    .describe('whether webhooks may go to this very machine, and there over plain http; for local runs only'),
}

export type SettingsShape = Record<string, z.ZodType>
export type Settings<Shape extends SettingsShape> = Readonly<z.infer<z.ZodObject<Shape>>>

export interface SettingsProblem {
  setting: string
  message: string
}

/** What is wrong between settings that are right one by one. Is given those that are. */
export type SettingsCheck<Shape extends SettingsShape> = (settings: Partial<Settings<Shape>>) => SettingsProblem[]

/** Reads and checks all settings at once. An empty variable counts as unset: that is how shells and compose files unset one. */
export function parseSettings<Shape extends SettingsShape>(
  shape: Shape,
  env: NodeJS.ProcessEnv,
  check: SettingsCheck<Shape> = () => [],
): { settings: Settings<Shape> } | { problems: SettingsProblem[] } {
  const problems: SettingsProblem[] = []
  const settings: Record<string, unknown> = {}
  for (const [setting, schema] of Object.entries(shape)) {
    const parsed = schema.safeParse(env[setting] === '' ? undefined : env[setting])
    if (parsed.success) settings[setting] = parsed.data
    else problems.push(...parsed.error.issues.map(({ message }) => ({ setting, message })))
  }
  const wrong = new Set(problems.map(({ setting }) => setting))
  const between = check(settings as Partial<Settings<Shape>>)
  problems.push(...between.filter(({ setting }) => !wrong.has(setting)))
  return problems.length > 0 ? { problems } : { settings: Object.freeze(settings) as Settings<Shape> }
}

/** For `config.ts`: the settings, or every problem on stderr and exit 2. */
export function readSettings<Shape extends SettingsShape>(
  shape: Shape,
  env: NodeJS.ProcessEnv,
  check?: SettingsCheck<Shape>,
): Settings<Shape> {
  const result = parseSettings(shape, env, check)
  if ('settings' in result) return result.settings
  console.error('These settings are wrong:')
  for (const { setting, message } of result.problems) {
    console.error(`  ${setting}: ${message}${describe(shape[setting])}`)
  }
  process.exit(2)
}

function describe(schema: z.ZodType | undefined): string {
  return schema?.description === undefined ? '' : ` (${schema.description})`
}
