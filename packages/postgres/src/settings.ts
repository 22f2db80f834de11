import { count } from '@tocsin/runtime/config'
import { z } from 'zod'

export const postgresSettings = {
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/, error: 'must be a postgres:// URL' })
    .default('postgres://tocsin:tocsin@localhost:5432/tocsin')
    .describe('where Postgres is; `?sslmode=verify-full` in it turns TLS on, with the certificate checked'),
  DATABASE_TLS_CA: z
    .string()
    .optional()
    .describe('PEM file of the authority that signed the certificate of Postgres; turns TLS on'),
  DATABASE_POOL_SIZE: count()
    .default(10)
    .describe('connections that one process opens at most, beside one that listens'),
}

export type PostgresSettings = z.infer<z.ZodObject<typeof postgresSettings>>
