import { setImmediate as endOfTurn } from 'node:timers/promises'

export interface Commit {
  readonly topic: string
  readonly partition: number
  readonly offset: string
}

/** As kafkajs takes them. */
export interface CommitRequest {
  topics: { topic: string; partitions: { partition: number; offset: string }[] }[]
}

interface Waiting {
  readonly commit: Commit
  readonly isValid: () => boolean
  readonly done: PromiseWithResolvers<void>
}

/**
 * Partitions share commit requests: what comes while one is under way, or in the same turn of the event loop, goes together.
 * The batches of a fetch often end together, because their output shared one produce request, and the next fetch waits for
 * all of them: nine requests, which a broker takes from a connection one after the other, would be its longest wait.
 */
export class SharedCommits {
  readonly #send: (request: CommitRequest) => Promise<unknown>
  #waiting: Waiting[] = []
  #isSending = false

  constructor(send: (request: CommitRequest) => Promise<unknown>) {
    this.#send = send
  }

  /**
   * Resolves when the commit is stored, or was left out because it was void by the time that its request was made: after a
   * rebalance it would be made in the name of the new generation, and set back what the next owner has done.
   */
  commit(commit: Commit, isValid: () => boolean): Promise<void> {
    const done = Promise.withResolvers<void>()
    this.#waiting.push({ commit, isValid, done })
    if (!this.#isSending) void this.#sendAll()
    return done.promise
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true
    while (this.#waiting.length > 0) {
      await endOfTurn()
      const taken = this.#waiting
      this.#waiting = []
      await this.#sendOnce(taken)
    }
    this.#isSending = false
  }

  /** Never throws: each of those that wait decides for itself what a failure means. */
  async #sendOnce(taken: readonly Waiting[]): Promise<void> {
    const valid = taken.filter(({ isValid }) => isValid())
    try {
      if (valid.length > 0) await this.#send(requestOf(valid.map(({ commit }) => commit)))
      for (const { done } of taken) done.resolve()
    } catch (error) {
      for (const { done } of taken) done.reject(error)
    }
  }
}

function requestOf(commits: readonly Commit[]): CommitRequest {
  const topics = Map.groupBy(commits, ({ topic }) => topic)
  return {
    topics: Array.from(topics, ([topic, ofTopic]) => ({
      topic,
      partitions: ofTopic.map(({ partition, offset }) => ({ partition, offset })),
    })),
  }
}
