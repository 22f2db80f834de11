import { Admin } from '@platformatic/kafka'

export interface Offsets {
  /** By `topic/partition`: where the next record will stand. */
  ends: Map<string, number>
  /** By group, and then by `topic/partition`: where the group goes on. Nothing where it never committed. */
  committed: Map<string, Map<string, number>>
}

/** How far topics go and how far groups are, as somebody else's program sees it. */
export async function readOffsets(
  brokers: string,
  topics: Readonly<Record<string, number>>,
  groups: readonly string[],
): Promise<Offsets> {
  const admin = new Admin({ clientId: 'test-offsets', bootstrapBrokers: brokers.split(',') })
  try {
    const listed = await admin.listOffsets({
      topics: Object.entries(topics).map(([name, partitions]) => ({
        name,
        partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1n })),
      })),
    })
    const ends = listed.flatMap(({ name, partitions }) =>
      partitions.map(({ partitionIndex, offset }) => [`${name}/${partitionIndex}`, Number(offset)] as const),
    )
    const ofGroups = await admin.listConsumerGroupOffsets({ groups: [...groups] })
    const committed = ofGroups.map(({ groupId, topics }) => {
      const places = topics.flatMap(({ name, partitions }) =>
        partitions.map(
          ({ partitionIndex, committedOffset }) => [`${name}/${partitionIndex}`, Number(committedOffset)] as const,
        ),
      )
      return [groupId, new Map(places)] as const
    })
    return { ends: new Map(ends), committed: new Map(committed) }
  } finally {
    await admin.close()
  }
}
