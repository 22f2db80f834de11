import type { PartKind } from '../infra/infra-part.ts'
import type { StackUrls } from './stack-state.ts'

/** What `up --detach` gives the supervisor that it starts, as its one argument. */
export interface DetachedOptions {
  readonly home: string
  readonly kind: PartKind | undefined
  readonly portBase: number
}

/** What that supervisor tells it, until it is up. */
export type SupervisorMessage =
  | { readonly kind: 'report'; readonly subject: string; readonly text: string }
  | { readonly kind: 'ready'; readonly urls: StackUrls; readonly adminKey: string }
  | { readonly kind: 'taken' }
  | { readonly kind: 'failed'; readonly message: string; readonly exitCode: number }
