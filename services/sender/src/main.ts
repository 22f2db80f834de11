import { runService } from '@tocsin/runtime/run-service'
import { readConfig } from './config.ts'
import { finishMs } from './deliver.ts'
import { start } from './start.ts'

const config = readConfig(process.env)
await runService('sender', service => start(service, config), {
  // An attempt under way is finished and written down, or its recipient is told twice; Redis and Kafka come after it.
  graceMs: Math.max(config.STOP_GRACE_MS, finishMs + 5_000),
  logLevel: config.LOG_LEVEL,
})
