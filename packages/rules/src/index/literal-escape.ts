/** A backslash and what stands for one character behind it, as the source of a regular expression. */
export const literalEscape = String.raw`\\(?:[^a-zA-Z0-9]|[afnrtv]|x[\da-fA-F]{2}|x\{[\da-fA-F]{1,5}\})`

const controls: Readonly<Record<string, string>> = { a: '\x07', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

/** The character that stands there, by itself or behind a backslash. */
export function unescaped(literal: string): string {
  const behind = literal.slice(1)
  if (!literal.startsWith('\\') || behind === '') return literal
  if (behind.startsWith('x')) return String.fromCodePoint(Number.parseInt(behind.replace(/[x{}]/g, ''), 16))
  return controls[behind] ?? behind
}
