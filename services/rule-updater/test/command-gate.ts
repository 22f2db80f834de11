import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface CommandGate extends AsyncDisposable {
  url: string
  /**
   * Asked before each command that changes the snapshot in Redis; nothing that comes after it on the same connection
   * passes before the answer. False: the command and everything after it is dropped.
   */
  onWrite: (command: string) => Promise<boolean> | boolean
}

/** A door in front of Redis that takes apart what a client sends, so that a test can stop it between two commands. */
export async function startCommandGate(target: { host: string; port: number }): Promise<CommandGate> {
  const sockets = new Set<Socket>()
  const gate = { onWrite: () => true } as unknown as CommandGate
  const server = createServer(incoming => {
    const outgoing = connect(target)
    for (const socket of [incoming, outgoing]) {
      sockets.add(socket)
      socket.on('error', () => {})
      // Not the other way round: what has passed is carried out, also when its sender is dead.
      socket.once('close', () => sockets.delete(socket))
    }
    outgoing.once('close', () => incoming.destroy())
    incoming.once('close', () => outgoing.end())
    outgoing.pipe(incoming, { end: false })
    pass(incoming, outgoing, gate)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  gate.url = `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
  gate[Symbol.asyncDispose] = async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
  return gate
}

function pass(incoming: Socket, outgoing: Socket, gate: CommandGate): void {
  let unread = Buffer.alloc(0)
  let passing = Promise.resolve(true)
  incoming.on('data', (data: Buffer) => {
    unread = Buffer.concat([unread, data])
    for (let command = firstCommand(unread); command !== undefined; command = firstCommand(unread)) {
      const { bytes, name, text } = command
      unread = unread.subarray(bytes.length)
      const isWrite = name === 'set' || (name === 'eval' && text.includes('PUBLISH'))
      passing = passing.then(async open => {
        const passes = open && (!isWrite || (await gate.onWrite(name)))
        if (passes) outgoing.write(bytes)
        return passes
      })
    }
  })
}

/** The first whole command in these bytes: `*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`. */
function firstCommand(unread: Buffer): { bytes: Buffer; name: string; text: string } | undefined {
  const lineAt = (at: number) => {
    const end = unread.indexOf('\r\n', at)
    return end === -1 ? undefined : { value: Number(unread.toString('latin1', at + 1, end)), next: end + 2 }
  }
  const args: string[] = []
  const count = lineAt(0)
  if (count === undefined) return undefined
  let at = count.next
  for (let arg = 0; arg < count.value; arg++) {
    const length = lineAt(at)
    if (length === undefined || unread.length < length.next + length.value + 2) return undefined
    args.push(unread.toString('latin1', length.next, length.next + length.value))
    at = length.next + length.value + 2
  }
  return { bytes: unread.subarray(0, at), name: args[0]!.toLowerCase(), text: args[1] ?? '' }
}
