import { type EndpointCreate, endpointCreateSchema } from '@tocsin/contracts/http'
import { type WebhookUrlRules, webhookUrlProblem } from '@tocsin/contracts/webhook-url'
import { checked, invalidAt } from '@tocsin/http/problems'

/** A whole endpoint as a caller wrote it: for POST, PUT, and for what a PATCH leads to. */
export function endpointFrom(body: unknown, rules: WebhookUrlRules): EndpointCreate {
  const endpoint = checked(endpointCreateSchema, body)
  const problem = endpoint.kind === 'webhook' ? webhookUrlProblem(endpoint.url, rules) : undefined
  if (problem !== undefined) throw invalidAt('/url', 'bad_url', problem)
  return endpoint
}

/** An endpoint stays what it is: its secret, its deliveries and their retries belong to its kind. */
export function requireSameKind(current: EndpointCreate, next: EndpointCreate): EndpointCreate {
  if (current.kind === next.kind) return next
  throw invalidAt('/kind', 'fixed', `is ${current.kind} and cannot be changed; make another endpoint instead`)
}
