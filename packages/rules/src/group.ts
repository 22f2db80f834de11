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
  // Not in a loop over the names: to take a rule apart took half as long again.
  if (Object.hasOwn(node, 'all')) return { name: 'all', parts: (node as unknown as { all: Node[] }).all }
  if (Object.hasOwn(node, 'any')) return { name: 'any', parts: (node as unknown as { any: Node[] }).any }
  if (Object.hasOwn(node, 'not')) return { name: 'not', parts: [(node as unknown as { not: Node }).not] }
  return undefined
}
