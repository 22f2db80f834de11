/** Every topic there is, declared here and nowhere else. */
export const topics = {
  ruleChanged: 'rule.changed',
  alertsNew: 'alerts.new',
  alertsMatched: 'alerts.matched',
  notificationsReady: 'notifications.ready',
  deadLetters: 'dead.letters',
} as const

export type Topic = (typeof topics)[keyof typeof topics]

/**
 * Nine lets one to nine copies of a worker share the work evenly at 1, 3 and 9. Raising it later moves keys to
 * other partitions, so order per problem holds only for what is published afterwards.
 */
export const partitionsPerTopic = 9

/** The name on the broker. A prefix lets several installations, or tests, share one cluster. */
export function topicName(prefix: string, topic: Topic): string {
  return `${prefix}${topic}`
}
