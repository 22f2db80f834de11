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
  for (const name of groupNames) {
    if (!Object.hasOwn(node, name)) continue
    const inner = (node as Record<GroupName, unknown>)[name]
    return { name, parts: name === 'not' ? [inner as Node] : (inner as Node[]) }
  }
  return undefined
}
