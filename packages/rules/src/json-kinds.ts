/** An object or a list. */
export const hasMembers = (value: unknown): value is object => typeof value === 'object' && value !== null

/** What JSON calls an object: a list is none. */
export const isObject = (value: unknown): value is Record<string, unknown> => hasMembers(value) && !Array.isArray(value)
