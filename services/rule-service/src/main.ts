import { readSettings } from '@tocsin/runtime/config'
import { runService } from '@tocsin/runtime/run-service'
import { settings } from './config.ts'
import { start } from './start.ts'

const config = readSettings(settings, process.env)
await runService('rule-service', service => start(service, config), {
  graceMs: config.STOP_GRACE_MS,
  logLevel: config.LOG_LEVEL,
})
