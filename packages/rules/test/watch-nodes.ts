import { Node } from '../src/index/node.ts'
import { shows, type Trail } from '../src/index/sign.ts'

export interface WatchedNodes {
  /** The kinds of signs behind which an alert came to a node. */
  readonly kinds: ReadonlySet<string>
  /** The most signs that an alert has followed to a node. */
  readonly deepest: number
  /** Nobody watches any more. */
  stop(): void
}

const nameOf = new Map<number, string>(Object.entries(shows).map(([name, kind]) => [kind, name]))

/** Sees which nodes of the index alerts come to. From outside, so that matching itself counts nothing. */
export function watchNodes(): WatchedNodes {
  const trails = new WeakMap<Node, Trail>()
  const kinds = new Set<string>()
  const { add, visit } = Node.prototype
  const watched = { kinds, deepest: 0, stop: () => void Object.assign(Node.prototype, { add, visit }) }
  Node.prototype.add = function (pattern, signs, trail) {
    if (trail !== undefined) trails.set(this, trail)
    add.call(this, pattern, signs, trail)
  }
  Node.prototype.visit = function (search) {
    const trail = trails.get(this)
    if (trail !== undefined) {
      kinds.add(nameOf.get(trail.sign.shows) as string)
      watched.deepest = Math.max(watched.deepest, lengthOf(trail))
    }
    visit.call(this, search)
  }
  return watched
}

function lengthOf(trail: Trail): number {
  let length = 0
  for (let step: Trail | undefined = trail; step !== undefined; step = step.before) length++
  return length
}
