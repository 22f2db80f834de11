import { setTimeout as sleep } from 'node:timers/promises'
import { partitionsPerTopic, type Topic, topics } from '@tocsin/contracts/topics'
import { AppError } from '@tocsin/runtime/errors'
import type { Admin, ITopicConfig } from 'kafkajs'
import type { KafkaClient } from './client.ts'
import { toAppError } from './kafka-errors.ts'
import { createKafkajs } from './kafkajs-client.ts'

const dayMs = 24 * 60 * 60 * 1_000

/** What differs from the cluster's defaults. */
const topicConfig: Partial<Record<Topic, Record<string, string>>> = {
  // A dead letter holds a record of up to 1 MiB in base64, beside its headers and the error; and people look late.
  [topics.deadLetters]: { 'max.message.bytes': String(4 * 1024 * 1024), 'retention.ms': String(30 * dayMs) },
}

/**
 * Makes the topics that are missing and waits until each partition has a leader. Topics that exist stay as they are.
 * Safe when several processes do it at once. Replication is the cluster's default.
 */
export async function createTopics(client: KafkaClient): Promise<void> {
  await makeTopics(
    client,
    Object.values(topics).map(topic => ({
      name: client.topic(topic),
      partitions: partitionsPerTopic,
      config: topicConfig[topic] ?? {},
    })),
  )
}

export interface NewTopic {
  name: string
  partitions: number
  config?: Record<string, string>
}

export async function makeTopics(client: KafkaClient, wanted: readonly NewTopic[]): Promise<void> {
  await withAdmin(client, 'creating topics', async admin => {
    const existing = new Set(await admin.listTopics())
    const missing = wanted.filter(({ name }) => !existing.has(name)).map(toTopicConfig)
    // Gives false when somebody else was faster with some of them, which is just as well.
    if (missing.length > 0) await admin.createTopics({ topics: missing, waitForLeaders: false })
    await insist(() =>
      expectLeaders(
        admin,
        wanted.map(({ name }) => name),
      ),
    )
    // Brokers tell who leads a new partition before that one knows it; only the leader itself answers this.
    for (const { topic } of missing) await insist(() => admin.fetchTopicOffsets(topic))
  })
}

function toTopicConfig({ name, partitions, config = {} }: NewTopic): ITopicConfig {
  const configEntries = Object.entries(config).map(([entry, value]) => ({ name: entry, value }))
  return { topic: name, numPartitions: partitions, configEntries }
}

/** A broker on a busy machine was seen to need more than 5 s for what takes it 0.1 s else. */
const insistMs = 30_000

/** Not kafkajs's own waiting for leaders: that one fails on a broker which has not heard of the topic yet. */
async function insist(work: () => Promise<unknown>): Promise<void> {
  for (const giveUpAt = performance.now() + insistMs; ; ) {
    try {
      await work()
      return
    } catch (error) {
      if (performance.now() > giveUpAt) throw error
      await sleep(100)
    }
  }
}

async function expectLeaders(admin: Admin, names: string[]): Promise<void> {
  const { topics: found } = await metadataOf(admin, names)
  const leaderless = found.flatMap(({ name, partitions }) =>
    partitions.filter(({ leader }) => leader < 0).map(({ partitionId }) => `${name}/${partitionId}`),
  )
  if (leaderless.length > 0) {
    throw new AppError('kafka_unavailable', `no leader for ${leaderless.join(', ')}`, { retryable: true })
  }
}

/** kafkajs swallows the failure of this request and then trips over its missing answer. */
async function metadataOf(admin: Admin, names: string[]) {
  try {
    return await admin.fetchTopicMetadata({ topics: names })
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    throw new AppError('kafka_unavailable', 'no broker answered', { retryable: true, cause: error })
  }
}

/** Takes away all topics and groups with this client's prefix: for tests, which have one of their own. */
export async function deleteTopics(client: KafkaClient): Promise<void> {
  const { topicPrefix } = client
  if (topicPrefix === '') throw new Error('without a prefix this would take away the topics of everybody')
  await withAdmin(client, 'deleting topics', async admin => {
    await deleteUntilGone(admin, topicPrefix)
    const { groups } = await admin.listGroups()
    const groupIds = groups.map(group => group.groupId).filter(id => id.startsWith(topicPrefix))
    // A group with a living member stays: it goes with the broker's own retention of empty groups.
    if (groupIds.length > 0) await admin.deleteGroups(groupIds).catch(() => {})
  })
}

/** Brokers go on listing a deleted topic for a moment, and refuse to delete it again. */
async function deleteUntilGone(admin: Admin, prefix: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const names = (await admin.listTopics()).filter(name => name.startsWith(prefix))
    if (names.length === 0) return
    try {
      await admin.deleteTopics({ topics: names })
    } catch (error) {
      if (attempt === 50 || toAppError(error, '').code !== 'kafka_topic_missing') throw error
    }
    await sleep(100)
  }
}

export interface KafkaProbe {
  /** Throws, with the reason, unless a broker answers and all topics exist with leaders. */
  check(): Promise<void>
  close(): Promise<void>
}

/** For `/ready`: one metadata request per check, over a connection that is kept. */
export function createKafkaProbe(client: KafkaClient, wanted: readonly Topic[] = Object.values(topics)): KafkaProbe {
  const names = wanted.map(client.topic)
  let connection: Promise<OpenAdmin> | undefined
  const drop = async () => {
    const open = connection
    connection = undefined
    await open?.then(close, () => {})
  }
  return {
    async check() {
      try {
        connection ??= openAdmin(client)
        await expectLeaders((await connection).admin, names)
      } catch (error) {
        void drop()
        throw toAppError(error, 'asking Kafka for its topics')
      }
    },
    close: drop,
  }
}

interface OpenAdmin {
  admin: Admin
  destroy(): void
}

async function openAdmin(client: KafkaClient): Promise<OpenAdmin> {
  const { kafkajs, destroy } = createKafkajs(client)
  const admin = kafkajs.admin()
  try {
    await admin.connect()
  } catch (error) {
    destroy()
    throw error
  }
  return { admin, destroy }
}

/** kafkajs waits for answers before it disconnects, and a broker that has gone gives none. */
async function close({ admin, destroy }: OpenAdmin): Promise<void> {
  const timer = setTimeout(destroy, 1_000)
  await admin.disconnect().catch(() => {})
  clearTimeout(timer)
  destroy()
}

async function withAdmin<T>(client: KafkaClient, doing: string, work: (admin: Admin) => Promise<T>): Promise<T> {
  let open: OpenAdmin | undefined
  try {
    open = await openAdmin(client)
    return await work(open.admin)
  } catch (error) {
    throw toAppError(error, doing)
  } finally {
    if (open) await close(open)
  }
}
