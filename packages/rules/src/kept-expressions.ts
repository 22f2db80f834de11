/** What an expression was made into. Making it again costs time and nothing else. */
export interface MadeExpression<Verdict> {
  matches(text: string): Verdict
  /** About what it keeps in memory, never 0; may grow while it is asked. */
  readonly bytes: number
}

interface Kept<Verdict = unknown> {
  made: MadeExpression<Verdict> | undefined
  /** What it is counted with; 0 while nothing is made. */
  bytes: number
}

/**
 * Bounds what expressions keep in memory, however many rules there are. When that is too much, any of them are dropped,
 * and made again when they are asked. Not those that were asked longest ago: one alert may ask all expressions in turn,
 * and of a few more than there is room for none would be left when its turn comes again.
 */
export class KeptExpressions {
  readonly #bytesMax: number
  readonly #all: Kept[] = []
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** What all that is made is counted with. */
  get bytes(): number {
    return this.#bytes
  }

  /** Asks what `make` makes, which happens when it is first asked, and after it was dropped. */
  keep<Verdict>(make: () => MadeExpression<Verdict>): (text: string) => Verdict {
    const kept: Kept<Verdict> = { made: undefined, bytes: 0 }
    return text => {
      kept.made ??= make()
      const { made } = kept
      const verdict = made.matches(text)
      if (made.bytes !== kept.bytes) this.#count(kept, made.bytes)
      return verdict
    }
  }

  #count(kept: Kept, bytes: number): void {
    if (kept.bytes === 0) this.#all.push(kept)
    this.#bytes += bytes - kept.bytes
    kept.bytes = bytes
    while (this.#bytes > this.#bytesMax) this.#dropAny()
  }

  #dropAny(): void {
    const at = Math.floor(Math.random() * this.#all.length)
    const dropped = this.#all[at] as Kept
    this.#all[at] = this.#all.at(-1) as Kept
    this.#all.pop()
    this.#bytes -= dropped.bytes
    dropped.made = undefined
    dropped.bytes = 0
  }
}

/** Room for some 10,000 expressions that only RE2 understands: docs/decisions/010-what-expressions-may-cost.md. */
export const keptExpressions = new KeptExpressions(256 * 1024 * 1024)
