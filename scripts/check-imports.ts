// Fails when an import crosses a boundary that the tables below do not allow. npm's hoisting makes every wrong import
// work, so nothing else would notice.
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')
const scope = '@tocsin/'

/** Folder → the packages of ours that its `src/` may import. Its tests may import testkit as well. */
const ours: Record<string, readonly string[]> = {
  'packages/contracts': [],
  'packages/rules': ['contracts'],
  'packages/runtime': [],
  'packages/kafka': ['contracts', 'runtime'],
  'packages/postgres': ['runtime'],
  'packages/redis': ['contracts', 'runtime'],
  'packages/http': ['contracts', 'runtime'],
  'packages/testkit': ['contracts', 'rules', 'runtime', 'kafka', 'postgres', 'redis'],
  'services/rule-service': ['contracts', 'rules', 'runtime', 'kafka', 'postgres', 'redis', 'http'],
  'services/rule-updater': ['contracts', 'rules', 'runtime', 'kafka', 'postgres', 'redis'],
  'services/evaluator': ['contracts', 'rules', 'runtime', 'kafka', 'redis'],
  'services/aggregator': ['contracts', 'runtime', 'kafka', 'postgres'],
  'services/sender': ['contracts', 'runtime', 'kafka', 'postgres', 'redis'],
  'services/alert-producer': ['contracts', 'runtime', 'kafka', 'postgres', 'http'],
}

/** Somebody else's package → the only folders whose `src/` may import it. What is not listed may be imported by nobody. */
const theirs: Record<string, readonly string[]> = {
  zod: Object.keys(ours),
  kafkajs: ['packages/kafka'],
  snappy: ['packages/kafka'],
  'lz4-napi': ['packages/kafka'],
  pg: ['packages/postgres'],
  ioredis: ['packages/redis'],
  'json-rules-engine': ['packages/rules'],
  re2js: ['packages/rules'],
  pino: ['packages/runtime'],
  'prom-client': ['packages/runtime'],
  express: ['packages/http'],
  bullmq: ['services/sender'],
  nodemailer: ['services/sender'],
  vitest: ['packages/testkit'],
  '@platformatic/kafka': ['packages/testkit'],
}

const browserSafe = ['packages/contracts', 'packages/rules']

interface Import {
  file: string
  to: string
}

const problems: string[] = []
const complain = ({ file, to }: Import, why: string) => problems.push(`${relative(root, file)}: ${to} ${why}`)

/** Reads the source as Biome formats it: a statement's `from` stands on a line that starts with import, export or }. */
const importPattern = /^(?:import|export|\})[^\n]*\bfrom '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm

function importsOf(file: string): Import[] {
  const source = readFileSync(file, 'utf8')
  return Array.from(source.matchAll(importPattern), match => ({ file, to: match[1] ?? match[2] ?? match[3] ?? '' }))
}

const packageOf = (to: string) =>
  to
    .split('/')
    .slice(0, to.startsWith('@') ? 2 : 1)
    .join('/')

function checkSource(folder: string, declared: ReadonlySet<string>, one: Import): void {
  const { file, to } = one
  const isTest = file.endsWith('.test.ts')
  if (to.startsWith('.')) {
    const home = isTest ? join(root, folder) : join(root, folder, 'src')
    if (!resolve(file, '..', to).startsWith(`${home}/`)) complain(one, 'leaves its own folder')
  } else if (to.startsWith('node:')) {
    if (browserSafe.includes(folder) && !isTest) complain(one, 'does not exist in a browser')
  } else if (to.startsWith(scope)) {
    const name = packageOf(to).slice(scope.length)
    const allowed = ours[folder]?.includes(name) || (isTest && name === 'testkit')
    if (!allowed) complain(one, `may not be imported by ${folder}`)
    else if (!declared.has(packageOf(to))) complain(one, `is missing from ${folder}/package.json`)
  } else if (!isTest) {
    if (!theirs[packageOf(to)]?.includes(folder)) complain(one, `may not be imported by ${folder}`)
    else if (!declared.has(packageOf(to)) && packageOf(to) !== 'vitest')
      complain(one, `is missing from ${folder}/package.json`)
  }
}

function checkTest(folder: string, declared: ReadonlySet<string>, one: Import): void {
  const self = `${scope}${folder.split('/')[1]}`
  if (one.to.startsWith(scope) && packageOf(one.to) !== self && !declared.has(packageOf(one.to))) {
    complain(one, `is missing from ${folder}/package.json`)
  }
  if (/^\.\.\/.*services\/|^\.\.\/\.\.\/\.\.\//.test(one.to)) complain(one, 'leaves its own folder')
}

for (const folder of globSync('{packages,services}/*', { cwd: root })) {
  if (!existsSync(join(root, folder, 'package.json'))) continue
  if (ours[folder] === undefined) problems.push(`${folder}: not in the table of scripts/check-imports.ts`)
  const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }))
  const files = (under: string) =>
    globSync(`${under}/**/*.ts`, { cwd: join(root, folder) }).map(file => join(root, folder, file))
  const [sources, tests] = [files('src').flatMap(importsOf), files('test').flatMap(importsOf)]
  for (const one of sources) checkSource(folder, declared, one)
  for (const one of tests) checkTest(folder, declared, one)
  const imported = new Set([...sources, ...tests].map(({ to }) => packageOf(to)))
  for (const name of declared) {
    if (!imported.has(name)) problems.push(`${folder}/package.json: nothing in src and test imports ${name}`)
  }
  for (const path of Object.values<string>(manifest.exports ?? {})) {
    if (!existsSync(join(root, folder, path)))
      problems.push(`${folder}/package.json: exports ${path}, which is not there`)
  }
}

for (const name of globSync('**/{common,utils,util,helpers,helper,shared,lib,misc}', {
  cwd: root,
  exclude: path => /node_modules|\.tocsin|\.git/.test(path),
})) {
  problems.push(`${name}: say in the name what is in it`)
}

for (const problem of problems) console.error(problem)
if (problems.length === 0) console.log('imports: every boundary holds')
process.exitCode = problems.length > 0 ? 1 : 0
