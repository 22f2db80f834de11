import { type SnapshotNews, snapshotNewsSchema } from '@tocsin/contracts/snapshot'
import { messageOf } from '@tocsin/runtime/errors'
import type { Logger } from '@tocsin/runtime/logger'
import type { Redis } from './connection.ts'
import { channel } from './snapshot-keys.ts'

/** Some 2,000 rules. Redis keeps a message for each listener until it is read, and cuts off who has 8 MB of them. */
const messageMax = 1_048_576

/** With the news if they are small enough; else the version alone, which says: look. */
export function messageFor(version: number, news: SnapshotNews | undefined): string {
  const message = news && JSON.stringify(news)
  return message === undefined || message.length > messageMax ? String(version) : message
}

/**
 * Calls `wake` whenever a snapshot was published, and whenever the subscription begins: what was published while this
 * connection was away was told to nobody. `redis` must be a connection of its own: it can do nothing else any more.
 */
export function subscribeToSnapshots(
  redis: Redis,
  prefix: string,
  log: Logger,
  wake: (news?: SnapshotNews) => void,
): void {
  const subscribe = async () => {
    try {
      await redis.subscribe(channel(prefix))
      wake()
    } catch (error) {
      // The connection went away again. The next 'ready' subscribes; readers look by themselves meanwhile.
      log.debug({ error: messageOf(error) }, 'cannot subscribe to snapshots')
    }
  }
  redis.on('message', (_channel, message: string) => wake(newsIn(message)))
  redis.on('ready', subscribe)
  if (redis.status === 'ready') void subscribe()
}

/** Of another shape, or none: whoever is told looks for himself. */
function newsIn(message: string): SnapshotNews | undefined {
  try {
    return snapshotNewsSchema.safeParse(JSON.parse(message)).data
  } catch {
    return undefined
  }
}
