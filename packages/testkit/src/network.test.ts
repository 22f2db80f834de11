import { PassThrough, type Transform } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { eventually } from './eventually.ts'
import { kafkaPassage } from './kafka-passage.ts'
import { Network } from './network.ts'

/** What has come out so far. */
function outOf(line: Transform): () => string {
  let text = ''
  line.on('data', chunk => {
    text += chunk
  })
  return () => text
}

it('a perfect network lets everything pass at once', async () => {
  const line = new Network().line()
  const out = outOf(line)
  line.write('one')
  line.write('two')
  await eventually(() => expect(out()).toBe('onetwo'))
})

it('what is sent into a black hole arrives when it is over, in order, also over lines that were made meanwhile', async () => {
  const network = new Network()
  const before = network.line()
  network.become({ blackHole: true })
  const during = network.line()
  const [outBefore, outDuring] = [outOf(before), outOf(during)]
  for (const line of [before, during]) {
    line.write('one')
    line.write('two')
  }
  await sleep(50)
  expect([outBefore(), outDuring()]).toEqual(['', ''])
  network.become({})
  await eventually(() => expect([outBefore(), outDuring()]).toEqual(['onetwo', 'onetwo']))
})

it.each([
  ['latency', { latencyMs: 60 }],
  ['a narrow line', { bytesPerS: 50 }],
])('%s holds bytes up, until it is over', async (_, conditions) => {
  const network = new Network()
  network.become(conditions)
  const line = network.line()
  const out = outOf(line)
  const startedAt = performance.now()
  line.write('one')
  await eventually(() => expect(out()).toBe('one'), { everyMs: 1 })
  expect(performance.now() - startedAt).toBeGreaterThan(50)
  network.become({ latencyMs: 3_600_000 })
  line.write('two')
  network.become({})
  await eventually(() => expect(out()).toBe('onetwo'))
})

it("a broker's address is changed in its answers, however they are cut, and all else is left alone", async () => {
  const [broker, gate] = [
    { host: '127.0.0.1', port: 20_001 },
    { host: '127.0.0.1', port: 40_002 },
  ]
  const passage = kafkaPassage(broker, gate, () => ({ there: [], back: [new PassThrough()] }))
  const answer = (port: number) => {
    const body = Buffer.concat([Buffer.from('one 127.0.0.1'), Buffer.alloc(4), Buffer.from('two 127.0.0.1 20001')])
    body.writeInt32BE(port, 'one 127.0.0.1'.length)
    const length = Buffer.alloc(4)
    length.writeInt32BE(body.length)
    return Buffer.concat([length, body])
  }
  const sent = Buffer.concat([answer(broker.port), answer(broker.port), answer(20_009)])
  const wanted = Buffer.concat([answer(gate.port), answer(gate.port), answer(20_009)])
  for (let size = 1; size <= sent.length; size++) {
    const [change] = passage().back as [Transform]
    const got: Buffer[] = []
    change.on('data', chunk => got.push(chunk))
    for (let at = 0; at < sent.length; at += size) change.write(sent.subarray(at, at + size))
    await eventually(() => expect(Buffer.concat(got).toString('hex')).toBe(wanted.toString('hex')))
  }
})
