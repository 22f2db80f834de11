/** Takes one of `count`, a number below it, and leaves the rest to the next. */
export type Draw = (count: number) => number

/** Many small choices out of one large number, for what would take fast-check long to generate one by one. */
export function drawFrom(number: number): Draw {
  let left = number
  return count => {
    const drawn = left % count
    left = Math.floor(left / count)
    return drawn
  }
}

export const oneOf = <Item>(draw: Draw, items: readonly Item[]): Item => items[draw(items.length)] as Item
