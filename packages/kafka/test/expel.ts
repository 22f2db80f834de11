import { createRequire } from 'node:module'

const load = createRequire(import.meta.url)
const Broker = load('kafkajs/src/broker')
const { createErrorFromCode } = load('kafkajs/src/protocol/error')

const groupLoadInProgress = 14
const notCoordinator = 16

interface Membership {
  groupId: string
  memberId: string
}

export interface Expeller extends Disposable {
  /** Takes the last member that joined out of the group, by a real request to the real broker; it is not told. */
  expel(): Promise<void>
  /** How many times the group was joined in vain since. */
  readonly refused: number
}

/**
 * What a broker does that stood still for longer than the session: it puts the members out, and while it still loads
 * the group it refuses them once when they come back. No real broker can be made to answer so on purpose, so this one
 * answer to JoinGroup is made up here; all else is what the broker and kafkajs do.
 */
export function expeller(groupId: string): Expeller {
  const { joinGroup } = Broker.prototype
  let leave = async () => {}
  let refusing = false
  let refused = 0
  Broker.prototype.joinGroup = async function (request: Membership) {
    if (request.groupId !== groupId) return joinGroup.call(this, request)
    if (refusing) {
      refusing = false
      refused++
      throw createErrorFromCode(groupLoadInProgress)
    }
    const joined = await joinGroup.call(this, request)
    leave = () => this.leaveGroup({ groupId, memberId: joined.memberId })
    return joined
  }
  return {
    async expel() {
      refusing = true
      await leave()
    },
    get refused() {
      return refused
    },
    [Symbol.dispose]() {
      Broker.prototype.joinGroup = joinGroup
    },
  }
}

/** Answers one heartbeat as a broker does that has just given the group up, and has it again a moment later. */
export function answerNotCoordinatorOnce(groupId: string): Promise<void> {
  const { heartbeat } = Broker.prototype
  const { promise, resolve } = Promise.withResolvers<void>()
  Broker.prototype.heartbeat = async function (request: Membership) {
    if (request.groupId !== groupId) return heartbeat.call(this, request)
    Broker.prototype.heartbeat = heartbeat
    resolve()
    throw createErrorFromCode(notCoordinator)
  }
  return promise
}
