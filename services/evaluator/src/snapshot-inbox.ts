import type { SnapshotNews } from '@tocsin/contracts/snapshot'
import type { SnapshotName } from './live-rules.ts'

/** Who is so far behind reads instead: one version with all of it costs less. */
const newsMax = 50

/** News that nobody has looked at yet, in the order in which they came. */
export class SnapshotInbox {
  #news: SnapshotNews[] = []

  put(news: SnapshotNews): void {
    if (this.#news.length === newsMax) this.#news = []
    this.#news.push(news)
  }

  /** The news about these rules. Older ones go; so do all that come after a gap, which only reading can close. */
  takeFor({ version }: SnapshotName): SnapshotNews | undefined {
    while (this.#news.length > 0 && this.#news[0]!.base.version < version) this.#news.shift()
    if (this.#news[0]?.base.version === version) return this.#news.shift()
    this.#news = []
    return undefined
  }
}
