import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConfigFault } from '../../../controller/errors.ts'
import { readCommandsFile } from '../../../controller/providers/local/commands-file.ts'
import { ROOT } from '../../docs/documents.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'draven-commands-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function read(text: string) {
  const file = join(folder, 'pipelines.yaml')
  writeFileSync(file, text)
  return readCommandsFile(file)
}

describe('the file of local pipelines', () => {
  it('is read as docs/local.md shows it', async () => {
    const [, shown] = /```yaml\n(# \/etc\/draven[\s\S]*?)```/.exec(readFileSync(join(ROOT, 'docs/local.md'), 'utf8'))!
    expect(await read(shown!)).toEqual({
      commands: {
        'sync-stage': { argv: ['/usr/local/bin/sync', '--target', 'stage'] },
        'sync-prod': { argv: ['./deploy/run.sh'], cwd: '/srv/warehouse-sync', timeoutMs: 1_200_000 },
      },
      repositories: { 'acme/warehouse-sync': '/srv/git/warehouse-sync.git' },
    })
  })

  it('may name folders beside itself', async () => {
    const { commands, repositories } = await read('commands: { a: { argv: [x], cwd: work } }\nrepositories: { acme/a: a.git }\n')
    expect([commands['a']!.cwd, repositories['acme/a']]).toEqual([join(folder, 'work'), join(folder, 'a.git')])
  })

  it.each([
    ['', 'the file must be a map'],
    ['commands:\n', 'commands must be a map'],
    ['repositories: { acme/a: /a }\n', 'commands must be a map'],
    ['commands: { a: [x] }\n', 'commands.a must be a map'],
    ['commands: { a: { argv: x } }\n', 'commands.a.argv must be a list'],
    ['commands: { a: { argv: [] } }\n', 'commands.a.argv must be a list'],
    ['commands: { a: { argv: [x, 1] } }\n', 'commands.a.argv[1] must be a text'],
    ['commands: { a: { argv: [x], cwd: 7 } }\n', 'commands.a.cwd must be a text'],
    ['commands: { a: { argv: [x], timeout_minutes: 0 } }\n', 'commands.a.timeout_minutes must be a number'],
    ['commands: { a: { argv: [x], shell: true } }\n', 'commands.a has a key shell, which is not known'],
    ['commands: {}\nrepos: {}\n', 'has a key repos, which is not known'],
    ['commands: {}\nrepositories: { acme/a: "" }\n', 'repositories.acme/a must be a text'],
    ['commands: {\n', 'is not YAML: '],
  ])('%j is refused with the place: %s', async (text, words) => {
    const fault = await read(text).catch((error: unknown) => error)
    expect(fault).toBeInstanceOf(ConfigFault)
    expect((fault as ConfigFault).message).toContain(`${join(folder, 'pipelines.yaml')}`)
    expect((fault as ConfigFault).message).toContain(words)
  })

  it('that is not there is told by its name', async () => {
    await expect(readCommandsFile(join(folder, 'none.yaml'))).rejects.toThrow(/none\.yaml cannot be read/)
  })
})
