import { type EndpointCreate, endpointCreateSchema } from '@tocsin/contracts/http'
import { type WebhookUrlRules, webhookUrlProblem } from '@tocsin/contracts/webhook-url'
import { checked, invalidAt } from '@tocsin/http/problems'
import { mergePatch } from './merge-patch.ts'

/** A whole endpoint as a caller wrote it: for POST, PUT, and for what a PATCH leads to. */
export function endpointFrom(body: unknown, rules: WebhookUrlRules): EndpointCreate {
  const endpoint = checked(endpointCreateSchema, body)
  const problem = endpoint.kind === 'webhook' ? webhookUrlProblem(endpoint.url, rules) : undefined
  if (problem !== undefined) throw invalidAt('/url', 'bad_url', problem)
  return endpoint
}

/** What a PATCH makes of an endpoint, checked like any other. */
export function patchedEndpoint(
  current: EndpointCreate,
  patch: Record<string, unknown>,
  rules: WebhookUrlRules,
): EndpointCreate {
  const target = current.kind === 'webhook' ? 'url' : 'to'
  return requireSameKind(current, endpointFrom(mergePatch(current, patch, ['kind', 'name', target]), rules))
}

/** An endpoint stays what it is: its secret, its deliveries and their retries belong to its kind. */
export function requireSameKind(current: EndpointCreate, next: EndpointCreate): EndpointCreate {
  if (current.kind === next.kind) return next
  throw invalidAt('/kind', 'fixed', `is ${current.kind} and cannot be changed; make another endpoint instead`)
}
