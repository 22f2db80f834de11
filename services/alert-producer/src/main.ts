import { runService } from '@tocsin/runtime/run-service'
import { readConfig } from './config.ts'
import { start } from './start.ts'

const config = readConfig(process.env)
await runService('alert-producer', service => start(service, config), {
  // A request that waits for Kafka is answered at its own deadline, and a stop does not cut it off before that.
  graceMs: Math.max(config.STOP_GRACE_MS, config.PRODUCE_DEADLINE_MS + 2_000),
  logLevel: config.LOG_LEVEL,
})
