import type { Database } from '@tocsin/postgres/database'
import type { Redis } from '@tocsin/redis/connection'
import type { Logger } from '@tocsin/runtime/logger'

/** Where a snapshot comes from and goes to. */
export interface Places {
  database: Database
  redis: Redis
  /** In front of the keys in Redis. */
  prefix: string
  log: Logger
}
