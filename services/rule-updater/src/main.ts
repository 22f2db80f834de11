import './young-generation.ts'
import { runService } from '@tocsin/runtime/run-service'
import { readConfig } from './config.ts'
import { start } from './start.ts'

const config = readConfig(process.env)
await runService('rule-updater', service => start(service, config), {
  graceMs: config.STOP_GRACE_MS,
  logLevel: config.LOG_LEVEL,
})
