import { spawnSync } from 'node:child_process'
import { cpus, release, totalmem, type } from 'node:os'
import { cloneFolder } from '../home.ts'

/** Figures mean nothing without the machine that they are from and the code that made them. */
export interface Circumstances {
  readonly at: string
  readonly commit: string
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memory_gib: number
    readonly system: string
    readonly node: string
  }
}

export function describeCircumstances(): Circumstances {
  const cores = cpus()
  return {
    at: new Date().toISOString(),
    commit: git('describe', '--always', '--dirty', '--abbrev=12'),
    machine: {
      cpu: cores[0]?.model.trim() ?? 'unknown',
      cores: cores.length,
      memory_gib: Math.round(totalmem() / 2 ** 30),
      system: `${type()} ${release()}`,
      node: process.version,
    },
  }
}

function git(...args: string[]): string {
  const { stdout } = spawnSync('git', args, { cwd: cloneFolder, encoding: 'utf8' })
  return stdout?.trim() || 'unknown'
}
