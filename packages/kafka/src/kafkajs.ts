import { createRequire } from 'node:module'
import { groupMessages } from './kafkajs-encoding.ts'

/**
 * kafkajs, for the rest of this package to import from here: its producer takes the function that puts messages into
 * partitions when it is loaded, so that ours must be there before.
 */
const load = createRequire(import.meta.url)
groupMessages()

export default load('kafkajs') as typeof import('kafkajs')
