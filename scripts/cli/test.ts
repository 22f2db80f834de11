import type { Command } from './command.ts'

export const command: Command = { help: 'test\n', options: {}, maxPositionals: 0, run: async () => 1 }
