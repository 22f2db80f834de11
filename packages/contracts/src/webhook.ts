import type { Alert } from './alert.ts'

/** What a webhook endpoint receives, under the Standard Webhooks headers. */
export interface WebhookBody {
  type: 'alert.firing' | 'alert.resolved'
  timestamp: string
  data: {
    notification_id: string
    team_id: string
    alert: Alert
    rules: { rule_id: string; name: string; version: number }[]
  }
}
