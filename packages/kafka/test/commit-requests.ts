import { createRequire } from 'node:module'

const Broker = createRequire(import.meta.url)('kafkajs/src/broker')

/** How many OffsetCommit requests the members of a group have made since. */
export function commitRequests(groupId: string): Disposable & { readonly count: number } {
  const { offsetCommit } = Broker.prototype
  let count = 0
  Broker.prototype.offsetCommit = function (request: { groupId: string }) {
    if (request.groupId === groupId) count++
    return offsetCommit.call(this, request)
  }
  return {
    get count() {
      return count
    },
    [Symbol.dispose]() {
      Broker.prototype.offsetCommit = offsetCommit
    },
  }
}
