import type { Route } from '@tocsin/http/routes'
import type { Database } from '@tocsin/postgres/database'
import { askForRebuild } from '../snapshot-lease-store.ts'
import type { SnapshotReader } from '../snapshot-report.ts'

export function snapshotRoutes(database: Database, readSnapshot: SnapshotReader): Route[] {
  return [
    { path: '/api/v1/snapshot', GET: async () => ({ body: await readSnapshot() }) },
    {
      path: '/api/v1/snapshot/rebuild',
      accepts: [],
      POST: async request => {
        const wanted = await askForRebuild(database)
        request.log.info({ key_id: request.caller.key_id, wanted }, 'a rebuild of the snapshot is asked for')
        return { status: 202, body: { wanted } }
      },
    },
  ]
}
