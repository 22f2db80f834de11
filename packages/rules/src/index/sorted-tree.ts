/** What a tree is made of: keys of some order, each with what hangs on it. */
export abstract class Branch<Self extends Branch<Self>> {
  left: Self | undefined = undefined
  right: Self | undefined = undefined
  height = 1

  abstract comesBefore(other: Self): boolean

  /** After another part has come below. */
  update(): void {
    this.height = Math.max(heightOf(this.left), heightOf(this.right)) + 1
  }
}

type Tree<Of> = Of | undefined

/**
 * Sorted trees of which one side is never two higher than the other (AVL): whatever rules are added in whatever order, a
 * million keys are at most 28 deep. With chance for a balance, who guesses it makes a chain of them.
 */
export function find<Of extends Branch<Of>>(tree: Tree<Of>, like: Of): Tree<Of> {
  let at = tree
  while (at !== undefined) {
    if (at.comesBefore(like)) at = at.right
    else if (like.comesBefore(at)) at = at.left
    else return at
  }
  return undefined
}

/** The tree with one more; it must not have one like it. */
export function insert<Of extends Branch<Of>>(tree: Tree<Of>, one: Of): Of {
  if (tree === undefined) return one
  if (tree.comesBefore(one)) tree.right = insert(tree.right, one)
  else tree.left = insert(tree.left, one)
  return balanced(tree)
}

/** The tree without the one that is like this; it must have it. */
export function remove<Of extends Branch<Of>>(tree: Of, like: Of): Tree<Of> {
  if (tree.comesBefore(like)) tree.right = remove(tree.right as Of, like)
  else if (like.comesBefore(tree)) tree.left = remove(tree.left as Of, like)
  else return joined(tree.left, tree.right)
  return balanced(tree)
}

export function forEach<Of extends Branch<Of>>(tree: Tree<Of>, each: (one: Of) => void): void {
  if (tree === undefined) return
  forEach(tree.left, each)
  each(tree)
  forEach(tree.right, each)
}

const heightOf = (tree: Tree<{ readonly height: number }>) => tree?.height ?? 0

/** The two sides of one that is taken out. */
function joined<Of extends Branch<Of>>(left: Tree<Of>, right: Tree<Of>): Tree<Of> {
  if (left === undefined || right === undefined) return left ?? right
  let next = right
  while (next.left !== undefined) next = next.left
  next.right = remove(right, next)
  next.left = left
  return balanced(next)
}

function balanced<Of extends Branch<Of>>(tree: Of): Of {
  const { left, right } = tree
  const lean = heightOf(left) - heightOf(right)
  if (left !== undefined && lean > 1) {
    if (heightOf(left.left) < heightOf(left.right)) tree.left = withRightOnTop(left)
    return withLeftOnTop(tree)
  }
  if (right !== undefined && lean < -1) {
    if (heightOf(right.right) < heightOf(right.left)) tree.right = withLeftOnTop(right)
    return withRightOnTop(tree)
  }
  tree.update()
  return tree
}

function withLeftOnTop<Of extends Branch<Of>>(tree: Of): Of {
  const top = tree.left as Of
  tree.left = top.right
  top.right = tree
  tree.update()
  top.update()
  return top
}

function withRightOnTop<Of extends Branch<Of>>(tree: Of): Of {
  const top = tree.right as Of
  tree.right = top.left
  top.left = tree
  tree.update()
  top.update()
  return top
}
