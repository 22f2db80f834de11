/**
 * RFC 7396 for a body of a few members: null takes a member away, so that it is what it is unless told. One of
 * `required` stays null, for the schema to refuse at its place. Members are replaced whole, objects too.
 */
export function mergePatch(
  current: Record<string, unknown>,
  patch: Record<string, unknown>,
  required: readonly string[],
): Record<string, unknown> {
  const merged = { ...current, ...patch }
  for (const [member, value] of Object.entries(patch)) {
    if (value === null && !required.includes(member)) delete merged[member]
  }
  return merged
}
