import { Transform } from 'node:stream'
import type { Address, Passage } from './gate.ts'

/**
 * A broker tells its clients where it is, and they then go there and not through the gate. So its answers are changed on
 * their way: its own address becomes that of the gate. Hosts of the same length keep everything else where it is.
 */
export function kafkaPassage(broker: Address, gate: Address, around: Passage): Passage {
  const [told, wanted] = [inProtocol(broker), inProtocol(gate)]
  if (told.length !== wanted.length) throw new Error(`${broker.host} and ${gate.host} are not of one length`)
  return () => {
    const { there, back } = around()
    return { there, back: [replaceInFrames(told, wanted), ...back] }
  }
}

/** In every answer that names a broker the port follows the host. */
function inProtocol({ host, port }: Address): Buffer {
  const bytes = Buffer.alloc(host.length + 4)
  bytes.write(host)
  bytes.writeInt32BE(port, host.length)
  return bytes
}

/** Answer by answer, each after its length: an address may be cut in two anywhere else. */
function replaceInFrames(told: Buffer, wanted: Buffer): Transform {
  let waiting: Buffer = Buffer.alloc(0)
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk])
      while (waiting.length >= 4 && waiting.length >= 4 + waiting.readInt32BE(0)) {
        const end = 4 + waiting.readInt32BE(0)
        const frame = waiting.subarray(0, end)
        for (let at = frame.indexOf(told); at >= 0; at = frame.indexOf(told, at + 1)) wanted.copy(frame, at)
        this.push(frame)
        waiting = waiting.subarray(end)
      }
      done()
    },
  })
}
