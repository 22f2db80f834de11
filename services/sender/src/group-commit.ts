/**
 * Many callers that each want one row changed share one statement: what is asked for while a statement runs goes into
 * the next one. With 50 deliveries at once this is the difference between 50 round trips and about two. `run` gives the
 * results in the order of the items; when it fails, each of its callers fails.
 */
export function groupCommit<Item, Result>(
  run: (items: Item[]) => Promise<Result[]>,
  { itemsMax = 500, runningMax = 1 }: { itemsMax?: number; runningMax?: number } = {},
): (item: Item) => Promise<Result> {
  const waiting: { item: Item; resolve: (result: Result) => void; reject: (error: unknown) => void }[] = []
  let running = 0
  let scheduled = false

  const runNext = async () => {
    scheduled = false
    if (running >= runningMax || waiting.length === 0) return
    const group = waiting.splice(0, itemsMax)
    running++
    try {
      const results = await run(group.map(({ item }) => item))
      for (const [index, { resolve }] of group.entries()) resolve(results[index] as Result)
    } catch (error) {
      for (const { reject } of group) reject(error)
    } finally {
      running--
      schedule()
    }
  }

  // After the I/O of this turn of the event loop, so that all answers that came in together go out together.
  const schedule = () => {
    if (scheduled || waiting.length === 0) return
    scheduled = true
    setImmediate(runNext)
  }

  return item =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      schedule()
    })
}
