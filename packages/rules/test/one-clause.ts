export const clause = { fact: 'severity', operator: 'equal', value: 'HIGH' }
/** The clause, that many groups deep. */
export const nested = (levels: number): object => (levels === 0 ? clause : { all: [nested(levels - 1)] })

/** A rule of one clause. */
export const about = (operator: string, value: unknown, more = {}) => ({
  all: [{ fact: 'name', operator, value, ...more }],
})
export const element = (...all: object[]) => about('element', { all }, { fact: 'context', path: '$.disks' })
/** Of an element. */
export const used = { field: 'used', operator: 'greaterThan', value: 90 }
