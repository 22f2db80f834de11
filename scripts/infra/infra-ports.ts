import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Home } from '../home.ts'
import type { PartName } from './infra-part.ts'
import { type ChosenPorts, choosePorts, type PortWish } from './ports.ts'

const usual = { postgres: 5432, kafka: 9092, kafka_controller: 9093, redis: 6379, smtp: 1025, mail_web: 1080 }

export type PortName = keyof typeof usual
export type InfraPorts = Readonly<Record<PortName, number>>

const portsOf: Readonly<Record<PartName, readonly PortName[]>> = {
  postgres: ['postgres'],
  kafka: ['kafka', 'kafka_controller'],
  redis: ['redis'],
  mail: ['smtp', 'mail_web'],
}

/** Ports for the servers that we start. They are remembered beside the data, so that addresses survive a restart. */
export async function chooseInfraPorts(
  home: Home,
  parts: readonly PartName[],
  { tryUsual }: { tryUsual: boolean },
): Promise<ChosenPorts<PortName>> {
  const file = join(home.data, 'ports.json')
  const kept = readKept(file)
  const names = parts.flatMap(part => portsOf[part])
  const wishes = names.map(name => [name, { kept: kept[name], ...(tryUsual ? { usual: usual[name] } : {}) }] as const)
  const chosen = await choosePorts(Object.fromEntries(wishes) as Record<PortName, PortWish>)
  writeFileSync(file, `${JSON.stringify({ ...kept, ...chosen.ports }, undefined, 2)}\n`)
  return chosen
}

function readKept(file: string): Partial<Record<PortName, number>> {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return {}
  }
}
