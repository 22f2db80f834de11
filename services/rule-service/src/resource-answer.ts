import { etagOf } from '@tocsin/http/etag'
import type { Answer } from '@tocsin/http/routes'

/** A resource with the ETag that an edit of this version sends back as If-Match. */
export function resourceAnswer<Resource extends { version: number }>(resource: Resource): Answer {
  return { headers: { etag: etagOf(resource.version) }, body: resource }
}

export function createdAnswer<Resource extends { version: number }>(location: string, resource: Resource): Answer {
  return { status: 201, headers: { etag: etagOf(resource.version), location }, body: resource }
}

export const noContent: Answer = { status: 204 }
