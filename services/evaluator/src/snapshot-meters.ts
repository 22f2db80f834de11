import { counter, gauge, histogramSeconds } from '@tocsin/runtime/metrics'

export const versionGauge = gauge(
  'tocsin_evaluator_snapshot_version',
  'Version of the rules that alerts are matched with',
)
export const rulesGauge = gauge('tocsin_evaluator_rules', 'Rules that alerts are matched with')
export const refusedGauge = gauge('tocsin_evaluator_refused_rules', 'Rules of the snapshot that cannot be used')
export const swapsTotal = counter('tocsin_evaluator_swaps_total', 'Snapshots taken into use', ['how'])
export const correctedTotal = counter(
  'tocsin_evaluator_corrected_rules_total',
  'Rules that were not what their snapshot says, though all that was told of it was taken in',
)
export const propagationSeconds = histogramSeconds(
  'tocsin_rule_propagation_seconds',
  'From the oldest change of a snapshot to matching with it; after skipped ones, since ours was last the newest at least',
)
