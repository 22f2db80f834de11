import { accessSync, constants } from 'node:fs'
import { kafkaSettings, kafkaSettingsProblems } from '@tocsin/kafka/settings'
import { parseSettings, type SettingsProblem, type SettingsShape } from '@tocsin/runtime/config'
import { settings as aggregator } from '../../services/aggregator/src/config.ts'
import { settings as alertProducer } from '../../services/alert-producer/src/config.ts'
import { settings as evaluator } from '../../services/evaluator/src/config.ts'
import { settings as ruleService } from '../../services/rule-service/src/config.ts'
import { settings as ruleUpdater } from '../../services/rule-updater/src/config.ts'
import { settings as sender } from '../../services/sender/src/config.ts'
import { addressProblem, givenParts, variableOf } from '../infra/given.ts'
import type { PartKind } from '../infra/infra-part.ts'
import { CliError } from '../report.ts'
import { callersSettings, type ServiceName } from './services.ts'

const shapes: Readonly<Record<ServiceName, SettingsShape>> = {
  'rule-service': ruleService,
  'alert-producer': alertProducer,
  evaluator,
  aggregator,
  sender,
  'rule-updater': ruleUpdater,
}

/** Throws with all of the caller's settings that a service would refuse, so that nothing is started in vain. */
export function checkSettings(env: NodeJS.ProcessEnv, kind: PartKind | undefined): void {
  const problems = settingsProblems(env, kind)
  if (problems.length > 0) throw new CliError(`These settings are wrong:\n${problems.join('\n')}`, 2)
}

/** A setting that several services have is told once. */
function settingsProblems(env: NodeJS.ProcessEnv, kind: PartKind | undefined): string[] {
  const given = givenParts(kind, env)
  const settings = callersSettings(env, given)
  const problems = [...Object.values(shapes).flatMap(shape => problemsIn(shape, settings)), ...fileProblems(settings)]
  const kafka = parseSettings(kafkaSettings, settings)
  if ('settings' in kafka) problems.push(...kafkaSettingsProblems(kafka.settings))
  for (const part of given) {
    const setting = variableOf(part)
    const message = addressProblem(part, env)
    const told = problems.some(problem => problem.setting === setting)
    if (message !== undefined && !told) problems.push({ setting, message })
  }
  return [...new Set(problems.map(({ setting, message }) => `  ${setting}: ${message}`))]
}

function problemsIn(shape: SettingsShape, env: NodeJS.ProcessEnv): readonly SettingsProblem[] {
  const result = parseSettings(shape, env)
  return 'problems' in result ? result.problems : []
}

/** The certificates of given servers, which are named by their files. */
function fileProblems(settings: NodeJS.ProcessEnv): SettingsProblem[] {
  return ['DATABASE_TLS_CA', 'KAFKA_TLS_CA', 'REDIS_TLS_CA'].flatMap(setting => {
    const file = settings[setting]
    if (!file || canRead(file)) return []
    return [{ setting, message: `${file} cannot be read` }]
  })
}

function canRead(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return true
  } catch {
    return false
  }
}
