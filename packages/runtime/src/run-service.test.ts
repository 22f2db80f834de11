import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { createLogger } from './logger.ts'
import { type Service, startService } from './run-service.ts'

const log = createLogger('test', 'silent')
const begin = (start: (service: Service) => Promise<void>) => startService('test', log, start)

describe('stop', () => {
  it('undoes in reverse order, and a step that throws does not stop the others', async () => {
    const undone: string[] = []
    const running = begin(async service => {
      service.onStop('first', () => void undone.push('first'))
      service.onStop('second', () => {
        undone.push('second')
        throw new Error('cannot')
      })
      service.onStop('third', async () => void undone.push('third'))
    })
    await running.started
    running.requestStop()
    expect(await running.ended).toBeUndefined()
    expect(await running.stop()).toEqual(new Error('cannot'))
    expect(undone).toEqual(['third', 'second', 'first'])
  })

  it('gives every caller the same stop', async () => {
    let undone = 0
    const running = begin(async service => service.onStop('count', () => void undone++))
    await running.started
    running.requestStop()
    await Promise.all([running.stop(), running.stop()])
    expect(undone).toBe(1)
  })

  it('undoes what existed when the start failed, and says why', async () => {
    const undone: string[] = []
    const running = begin(async service => {
      service.onStop('made', () => void undone.push('made'))
      throw new Error('no luck')
    })
    expect(await running.ended).toEqual(new Error('no luck'))
    await running.stop()
    expect(undone).toEqual(['made'])
  })

  it('is not ready from the moment that stopping begins', async () => {
    const running = begin(async service => service.ready('always', () => {}))
    await running.started
    expect((await running.service.readiness.check()).ready).toBe(true)
    running.requestStop()
    expect(await running.service.readiness.check()).toMatchObject({
      ready: false,
      checks: { process: { error: 'stopping' } },
    })
    await running.stop()
  })
})

describe('run', () => {
  it('ends the service when a task fails', async () => {
    const running = begin(async service => service.run('task', () => Promise.reject(new Error('broken'))))
    expect(await running.ended).toEqual(new Error('broken'))
    await running.stop()
  })

  it('ends the service when a task ends before it was asked to', async () => {
    const running = begin(async service => service.run('task', async () => {}))
    expect(await running.ended).toEqual(new Error('task ended by itself'))
    await running.stop()
  })

  it('waits for a task that drains before what it uses is undone', async () => {
    const order: string[] = []
    const running = begin(async service => {
      service.onStop('connection', () => void order.push('connection closed'))
      service.run('loop', async stopping => {
        await new Promise(resolve => stopping.addEventListener('abort', resolve))
        await sleep(20)
        order.push('loop drained')
      })
    })
    await running.started
    running.requestStop()
    await running.stop()
    expect(order).toEqual(['loop drained', 'connection closed'])
  })
})

describe('waitFor', () => {
  it('tries again until the dependency is there, and says meanwhile what it waits for', async () => {
    let there = false
    const running = begin(async service => {
      await service.waitFor('kafka', () => {
        if (!there) throw new Error('connection refused')
      })
    })
    const waiting = await running.service.readiness.check()
    expect(waiting).toMatchObject({ ready: false, checks: { kafka: { error: 'connection refused' } } })
    there = true
    await running.started
    expect((await running.service.readiness.check()).ready).toBe(true)
    running.requestStop()
    await running.stop()
  })

  it('stops cleanly while it still waits', async () => {
    const undone: string[] = []
    const running = begin(async service => {
      service.onStop('made before', () => void undone.push('made before'))
      await service.waitFor('kafka', () => Promise.reject(new Error('never')))
    })
    running.requestStop()
    expect(await running.ended).toBeUndefined()
    expect(await running.stop()).toBeUndefined()
    expect(undone).toEqual(['made before'])
  })
})
