import { z } from 'zod'

export const redisSettings = {
  REDIS_URL: z
    .url({ protocol: /^rediss?$/, error: 'must be a redis:// or rediss:// URL' })
    .default('redis://localhost:6379')
    .describe('where Redis is; rediss:// turns TLS on, user and password go into the URL'),
  REDIS_TLS_CA: z.string().optional().describe('file with the certificate authority of the Redis server'),
  REDIS_KEY_PREFIX: z
    .string()
    .default('tocsin:')
    .describe('front of every key, so that installations can share a Redis'),
}

export type RedisSettings = z.infer<z.ZodObject<typeof redisSettings>>
