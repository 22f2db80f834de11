import { rmSync } from 'node:fs'
import type { Home } from '../home.ts'
import { engineMayBeThere, removeContainers } from '../infra/containers.ts'
import { removeOutsidePlace } from '../infra/postgres-place.ts'
import type { Report } from '../report.ts'

/** Deletes data, logs and state of a stack that is down, wherever they are. */
export async function wipeHome(home: Home, env: NodeJS.ProcessEnv, report: Report): Promise<void> {
  removeOutsidePlace(home)
  if (engineMayBeThere(env)) {
    await removeContainers(home, env, { volumes: true }).catch(error =>
      report('containers', `no engine to ask for volumes: ${error.message}`),
    )
  }
  for (const folder of [home.data, home.logs, home.run]) rmSync(folder, { recursive: true, force: true })
}
