import { foldCase } from '../fold-case.ts'

let text = ''
let folded = ''

/** One text is asked about several times before the next, so the last one is kept. */
export function foldedText(one: string): string {
  if (one !== text) {
    text = one
    folded = foldCase(one)
  }
  return folded
}
