import { AppError, messageOf } from '@tocsin/runtime/errors'

/** The parts of a kafkajs error that say something. Its classes nest: the reason is in the innermost cause. */
interface KafkajsError extends Error {
  type?: string
  errors?: Error[]
}

export interface Refused {
  /** Which of the messages given to `send`. */
  index: number
  error: AppError
}

/** Kafka refuses these messages whenever they come; the others of the same `send` are written. */
export class MessagesRefused extends AppError {
  readonly refused: readonly Refused[]

  constructor(refused: readonly [Refused, ...Refused[]]) {
    const [{ error }] = refused
    super(error.code, `${refused.length} refused; the first: ${error.message}`, { cause: error })
    this.refused = refused
  }
}

/** Broker answers that are about the record itself: the same record will get the same answer. */
const aboutTheRecord: Record<string, string> = {
  MESSAGE_TOO_LARGE: 'kafka_record_too_large',
  RECORD_LIST_TOO_LARGE: 'kafka_record_too_large',
  INVALID_RECORD: 'kafka_record_refused',
  CORRUPT_MESSAGE: 'kafka_record_refused',
  INVALID_TIMESTAMP: 'kafka_record_refused',
}

/** Something that an operator puts right. Until then everything waits: none of it is the record's fault. */
const aboutTheCluster: Record<string, string> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'kafka_topic_missing',
  INVALID_TOPIC_EXCEPTION: 'kafka_topic_missing',
  TOPIC_AUTHORIZATION_FAILED: 'kafka_unauthorized',
  GROUP_AUTHORIZATION_FAILED: 'kafka_unauthorized',
  CLUSTER_AUTHORIZATION_FAILED: 'kafka_unauthorized',
  SASL_AUTHENTICATION_FAILED: 'kafka_unauthorized',
}

/** What kafkajs throws, as one of ours; no kafkajs class leaves the package except as the cause. */
export function toAppError(error: unknown, doing: string): AppError {
  if (error instanceof AppError) return error
  const root = rootOf(error)
  const text = `${doing}: ${messageOf(root)}`
  const record = aboutTheRecord[root?.type ?? '']
  if (record !== undefined) return new AppError(record, text, { cause: error })
  const sasl = root?.name === 'KafkaJSSASLAuthenticationError' ? 'kafka_unauthorized' : undefined
  const code = aboutTheCluster[root?.type ?? ''] ?? sasl ?? 'kafka_unavailable'
  return new AppError(code, text, { retryable: true, cause: error })
}

function rootOf(error: unknown) {
  let root = error as Partial<KafkajsError> | undefined
  while (root?.cause instanceof Error || root?.errors?.[0] instanceof Error)
    root = root.errors?.[0] ?? (root.cause as Error)
  return root
}

/** The broker has begun a rebalance: our membership holds until the deadline of the rebalance. */
export function isRebalancing(error: unknown): boolean {
  return rootOf(error)?.type === 'REBALANCE_IN_PROGRESS'
}

/** The broker no longer takes us for a member in this generation: what we hold belongs to somebody else. */
export function isFenced(error: unknown): boolean {
  const type = rootOf(error)?.type
  return type === 'ILLEGAL_GENERATION' || type === 'UNKNOWN_MEMBER_ID' || type === 'FENCED_INSTANCE_ID'
}
