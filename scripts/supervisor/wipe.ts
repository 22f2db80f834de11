import { rmSync } from 'node:fs'
import type { Home } from '../home.ts'
import { engineMayBeThere } from '../infra/container-engine.ts'
import { removeContainers, removeVolumes } from '../infra/containers.ts'
import { removeOutsidePlace } from '../infra/postgres-place.ts'
import type { Report } from '../report.ts'

/** Deletes data, logs and state of a stack that is down, wherever they are. */
export async function wipeHome(home: Home, env: NodeJS.ProcessEnv, report: Report): Promise<void> {
  removeOutsidePlace(home)
  if (engineMayBeThere(env)) {
    try {
      await removeContainers(home, env) // a crash may have left them without a state that names them
      await removeVolumes(home, env)
    } catch (error) {
      report('containers', `no engine to ask for volumes: ${error instanceof Error ? error.message : error}`)
    }
  }
  for (const folder of [home.data, home.logs, home.run]) rmSync(folder, { recursive: true, force: true })
}
