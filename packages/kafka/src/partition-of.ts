/** The partition that the Java client, and with it most of the world, gives to a key. */
export function partitionOf(key: Buffer, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

/** Murmur2 as in Kafka's Utils.java. kafkajs has it too, over BigInt: that one took 7 % of a busy producer's time. */
function murmur2(data: Buffer): number {
  const m = 0x5bd1e995
  const whole = data.length & ~3
  let h = 0x9747b28c ^ data.length
  for (let at = 0; at < whole; at += 4) {
    let k = Math.imul(data.readInt32LE(at), m)
    k = Math.imul(k ^ (k >>> 24), m)
    h = Math.imul(h, m) ^ k
  }
  for (let at = data.length - 1; at >= whole; at--) h ^= data[at]! << ((at - whole) * 8)
  if (whole < data.length) h = Math.imul(h, m)
  h = Math.imul(h ^ (h >>> 13), m)
  return h ^ (h >>> 15)
}
