import { test } from '@tocsin/testkit/test'
import { expect } from 'vitest'
import { createDeliveries } from '../src/deliveries-store.ts'

test('looks at the deliveries of its own notifications, and not at all that there are', async ({ database }) => {
  await database.query(`
    WITH made AS (
      INSERT INTO notifications (notification_id, team_id, alert_id, alert, rules, status)
      SELECT 'n' || n, 'team', 'a' || n, '{}', '[]', CASE WHEN n <= 200 THEN 'ready' ELSE 'delivered' END
      FROM generate_series(1, 20000) AS n
      RETURNING notification_id, status)
    INSERT INTO deliveries (delivery_id, notification_id, endpoint_id, team_id, kind, due_at)
    SELECT 'd' || notification_id, notification_id, 'e', 'team', 'webhook', now() FROM made WHERE status = 'delivered'`)
  await database.query('ANALYZE notifications, deliveries')
  const ready = Array.from({ length: 200 }, (_, index) => `n${index + 1}`)
  const read = await database.transaction(async client => {
    expect((await createDeliveries(client, ready, 1_000)).skipped).toHaveLength(200)
    const { rows } = await client.query<{ seq_tup_read: number }>(
      `SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = 'deliveries'`,
    )
    return rows
  })
  expect(read).toEqual([{ seq_tup_read: 0 }])
})
