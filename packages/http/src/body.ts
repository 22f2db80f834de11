import { messageOf } from '@tocsin/runtime/errors'
import express, { type RequestHandler } from 'express'
import { invalid, refusal } from './problems.ts'
import { problemsOfStoring } from './storable.ts'

export const mediaTypes = {
  json: 'application/json',
  mergePatch: 'application/merge-patch+json',
  ndjson: 'application/x-ndjson',
} as const

export type MediaType = (typeof mediaTypes)[keyof typeof mediaTypes]

/** The bytes of a request and what their sender says that they are; parsed by whoever needs them, and only once. */
export interface Body {
  mediaType: string
  bytes: Uint8Array
}

export interface BodyOptions {
  accepts: readonly MediaType[]
  limitBytes: number
}

/** Reads the body of a method that has one. Refuses by the headers alone where they say enough. */
export function readBody({ accepts, limitBytes }: BodyOptions): RequestHandler[] {
  const checkHeaders: RequestHandler = (req, res, next) => {
    const announcedBytes = Number(req.headers['content-length'] ?? 0)
    if (announcedBytes > limitBytes) {
      // Answered without reading the rest, so the connection has no further use.
      res.setHeader('connection', 'close')
      throw tooLarge(limitBytes)
    }
    if (!accepts.includes(mediaTypeOf(req.headers['content-type']) as MediaType)) {
      throw refusal('unsupported_media_type', `send the body as Content-Type: ${accepts.join(' or ')}`, { accepts })
    }
    next()
  }
  return [checkHeaders, express.raw({ type: () => true, limit: limitBytes })]
}

export function mediaTypeOf(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}

export function tooLarge(limitBytes: number) {
  return refusal('too_large', `the body is larger than ${limitBytes} bytes`, { limit_bytes: limitBytes })
}

/** `fatal`, so that broken UTF-8 is refused instead of silently becoming U+FFFD. */
const utf8 = new TextDecoder('utf-8', { fatal: true })

export function textOf({ bytes }: Body): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw refusal('malformed', 'the body is not UTF-8')
  }
}

export function jsonOf(body: Body): unknown {
  const text = textOf(body)
  if (text.trim() === '') throw refusal('malformed', 'the request has no body; a JSON document is needed')
  try {
    return JSON.parse(text)
  } catch (error) {
    throw refusal('malformed', `the body is not JSON: ${messageOf(error)}`)
  }
}

/** A JSON document that is going to be stored. */
export function storableJsonOf(body: Body): unknown {
  const value = jsonOf(body)
  const problems = problemsOfStoring(value)
  if (problems.length > 0) throw invalid(problems)
  return value
}
