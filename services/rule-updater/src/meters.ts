import { counter, gauge, histogramSeconds } from '@tocsin/runtime/metrics'

export const isLeader = gauge(
  'tocsin_snapshot_is_leader',
  '1 while this process builds the snapshots, 0 while it stands by',
)
export const tokenGauge = gauge('tocsin_snapshot_token', 'Fencing token of the last term of this process')
export const versionGauge = gauge('tocsin_snapshot_version', 'Version of the snapshot that was published last')
export const rulesGauge = gauge('tocsin_snapshot_rules', 'Rules in it')
export const chunksGauge = gauge('tocsin_snapshot_chunks', 'Chunks that it consists of')
export const bytesGauge = gauge('tocsin_snapshot_bytes', 'What its chunks take in Redis, compressed')

export const waitingGauge = gauge(
  'tocsin_snapshot_waiting_changes',
  'Changes that no snapshot has yet, as the leader counts them every 5 s',
)
export const waitingSinceGauge = gauge(
  'tocsin_snapshot_waiting_since_seconds',
  'When the oldest of them was made, as Unix time; 0 when none waits',
)

export const buildsTotal = counter('tocsin_snapshot_builds_total', 'Snapshots built, by what came of them', ['outcome'])
export const swapsTotal = counter('tocsin_snapshot_swaps_total', 'Swaps that were tried, by what Redis said', [
  'outcome',
])
export const buildSeconds = histogramSeconds(
  'tocsin_snapshot_build_seconds',
  'One snapshot, from reading what changed to the stamps',
)
export const changeSeconds = histogramSeconds(
  'tocsin_snapshot_change_to_swap_seconds',
  'From the oldest change that a snapshot is the first to hold to its swap, by the clock of Postgres',
)
export const driftTotal = counter(
  'tocsin_snapshot_drift_total',
  'Rules that a comparison with Postgres found changed, and no row of rule_versions told of',
)
export const unreadableGauge = gauge(
  'tocsin_snapshot_unreadable_rules',
  'Enabled rules that are left out because their rows are not valid, as the last comparison with Postgres found them',
)
export const chunksRepairedTotal = counter(
  'tocsin_snapshot_chunks_repaired_total',
  'Chunks of the current snapshot that Redis had lost or damaged',
)
export const leasesLostTotal = counter(
  'tocsin_snapshot_leases_lost_total',
  'Terms that ended because somebody else leads',
)
