import { expect, it } from 'vitest'
import { howToInstall, javaVersion } from './system-packages.ts'

it.each([
  ['openjdk version "17.0.15" 2025-04-15', 17],
  ['openjdk version "25" 2025-09-16', 25],
  ['java version "1.8.0_402"', 8],
  ['The operation couldn’t be completed. Unable to locate a Java Runtime.', 0],
  ['', 0],
])('reads the version of %s', (output, version) => {
  expect(javaVersion(output)).toBe(version)
})

it('names everything that is missing and the one command that installs it', () => {
  const packageOf = (program: string) => `${program}-package`
  expect(howToInstall(['java', 'redis'], 'linux', packageOf)).toBe(
    'Missing on this machine: Java 17 or newer, redis-server. Install with:\n' +
      '    sudo apt-get install java-package redis-package',
  )
  expect(howToInstall(['java', 'maven', 'redis'], 'darwin')).toContain('brew install openjdk maven redis')
})
