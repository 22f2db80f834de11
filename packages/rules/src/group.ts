export const groupNames = ['all', 'any', 'not'] as const
export type GroupName = (typeof groupNames)[number]

/** A group by what stands in it; of `not` that is one condition. */
export interface Group<Node> {
  readonly name: GroupName
  readonly parts: readonly Node[]
}

/**
 * Which group a condition is, if any. This goes before everything else that stands in the condition: validation lets
 * members through that have no effect, and a group may have an `operator` among them.
 */
export function groupOf<Node extends object>(node: Node): Group<Node> | undefined {
  const group = node as { all: Node[]; any: Node[]; not: Node }
  // Not in a loop over the names: to take a rule apart took half as long again.
  if (Object.hasOwn(node, 'all')) return { name: 'all', parts: group.all }
  if (Object.hasOwn(node, 'any')) return { name: 'any', parts: group.any }
  if (Object.hasOwn(node, 'not')) return { name: 'not', parts: [group.not] }
  return undefined
}
