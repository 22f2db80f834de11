import { parseSettings, type Settings, type SettingsShape } from '@tocsin/runtime/config'
import { createLogger } from '@tocsin/runtime/logger'
import { type RunningService, type Service, startService } from '@tocsin/runtime/run-service'
import { eventually } from './eventually.ts'

export interface InProcess extends RunningService {
  untilReady(withinMs?: number): Promise<void>
  /** The checks of `/ready` that fail now, with their reasons. */
  unready(): Promise<Record<string, string | undefined>>
}

/** A service as `main.ts` starts it, but in this process, and with settings as text like those of an environment. */
export function startInProcess<Shape extends SettingsShape>(
  name: string,
  start: (service: Service, config: Settings<Shape>) => Promise<void>,
  settings: Shape,
  environment: Record<string, string>,
): InProcess {
  const parsed = parseSettings(settings, environment)
  if ('problems' in parsed) throw new Error(`settings of ${name}: ${JSON.stringify(parsed.problems)}`)
  const log = createLogger(name, process.env.TOCSIN_TEST_LOG_LEVEL ?? 'silent')
  const running = startService(name, log, service => start(service, parsed.settings))
  const unready = async () => {
    const { checks } = await running.service.readiness.check()
    return Object.fromEntries(
      Object.entries(checks).flatMap(([check, { ok, error }]) => (ok ? [] : [[check, error] as const])),
    )
  }
  return {
    ...running,
    unready,
    untilReady: (withinMs = 20_000) =>
      eventually(
        async () => {
          const missing = await unready()
          if (Object.keys(missing).length > 0) throw new Error(`${name} is not ready: ${JSON.stringify(missing)}`)
        },
        { withinMs },
      ),
  }
}
