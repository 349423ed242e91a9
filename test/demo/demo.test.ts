import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { noCurl } from '../pipelines/files.ts'
import { requestFile } from '../scenarios/config-files.ts'

const ROOT = resolve(import.meta.dirname, '../..')
const DEMO = join(ROOT, 'dist/test/demo/main.js')
/** The whole story with a real process for every git command: seconds on an idle machine, more on a busy one. */
const PATIENCE_MS = 240_000

let folder: string
let demo: Demo | null = null

beforeAll(() => {
  if (!existsSync(DEMO)) execFileSync(process.execPath, [join(ROOT, 'scripts/build.mjs')], { cwd: ROOT, stdio: 'ignore' })
}, PATIENCE_MS)

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'draven-demo-test-'))
})

afterEach(async () => {
  demo?.child.kill('SIGKILL')
  demo = null
  await rm(folder, { recursive: true, force: true })
})

interface Demo {
  child: ChildProcess
  /** Everything printed so far. */
  said(): string
  /** Resolves when it was said. */
  says(words: RegExp): Promise<RegExpExecArray>
  /** Exit code. */
  ended: Promise<number | null>
}

/** A command as a process of its own, in the repository's folder and with a temporary folder that can be looked into. */
function startDemo(command: readonly string[]): Demo {
  // What npm itself keeps beside the temporary files on Node 22 and later is not the demo's.
  const env = { ...process.env, TMPDIR: folder, DRAVEN_DEMO_BEAT_MS: '1', NODE_DISABLE_COMPILE_CACHE: '1' }
  const [program = '', ...args] = command
  const child = spawn(program, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
  }
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return {
    child,
    ended,
    said: () => text,
    async says(words) {
      for (;;) {
        const match = words.exec(text)
        if (match) return match
        if (child.exitCode !== null) throw new Error(`the demo ended without saying ${words}:\n${text}`)
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    },
  }
}

/** What is told otherwise on a forge than on the others. */
interface Told {
  name: string
  pull: string
  /** An approval by the author. */
  own: RegExp
  /** How a gate is told that waits. */
  waits: (title: string) => RegExp
  findings: RegExp
  /** Whose approvals did not count. */
  uncounted: string
  contract: RegExp
  /** What is nowhere else, by the number of its scene. */
  besides: Readonly<Record<number, RegExp>>
}

const waitingCheck = (title: string) => new RegExp(`… draven/gate: ${title}`)

const GITHUB: Told = {
  name: 'GitHub',
  pull: 'pull request',
  own: /tries to approve her own request; GitHub says “Can not approve your own pull request”/,
  waits: waitingCheck,
  findings: /each is an annotation on its line/,
  uncounted: 'dana',
  contract: /every call and answer fits GitHub’s published API description/,
  besides: {},
}

const OTHERS: Readonly<Record<string, Told>> = {
  gitlab: {
    name: 'GitLab',
    pull: 'merge request',
    own: /GitLab lets her .* alice opened this pull request, so that approval does not count/,
    waits: (title) => new RegExp(`… ${title}[^.]* \\(in the comment\\)`),
    findings: /each is in the comment, with its line/,
    uncounted: 'alice, dana',
    contract: /is in GitLab’s published API description/,
    besides: { 2: /GitLab would keep a pipeline running for a check that waits/ },
  },
  bitbucket: {
    name: 'Bitbucket',
    pull: 'pull request',
    own: /Bitbucket lets her .* alice opened this pull request, so that approval does not count/,
    waits: waitingCheck,
    findings: /each is an annotation on its line/,
    uncounted: 'alice, dana',
    contract: /fits Bitbucket’s published API description/,
    besides: { 2: /To Bitbucket, Bob is [0-9a-f]{8}-/, 4: /declines #6/ },
  },
  gitea: {
    name: 'Gitea',
    pull: 'pull request',
    own: /tries to approve her own request; Gitea says “approve your own pull is not allowed”/,
    waits: waitingCheck,
    findings: /each is in the comment, with its line/,
    uncounted: 'dana',
    contract: /is in Gitea’s published API description/,
    besides: {
      4: /9 findings on main as before \(“gitea offers no way to stop a run/,
      8: /Gitea says “can't submit review for a closed or merged PR”/,
    },
  },
}

/** Bitbucket's pipelines say whose they are with curl. */
const PLAYABLE = Object.entries(OTHERS).filter(([forge]) => !(forge === 'bitbucket' && noCurl))

type Scene = readonly [heading: string, facts: readonly RegExp[]]

function factsOn({ pull, own, waits, findings, uncounted }: Told): readonly Scene[] {
  return [
    [`1. A deploy is a small file in a ${pull}`, [/branch: feature\/checkout-v2/, /ready: the merge deploys/, /✓ success: /]],
    [
      '2. Prod: two others approve, and the window must be open',
      [
        waits('0 of 2 approvals'),
        own,
        /dana wrote or committed part of this change, so that approval does not count/,
        waits('1 of 2 approvals'),
        waits('opens Mon 23 Nov 09:00 Europe/Rome'),
        /“shop v1\.4\.2 answers: 200 OK”/,
        /✓ success: /,
      ],
    ],
    ['3. One at a time: the second request queues', [/2nd in the queue: Job [0-9a-f]{8} has the lock of billing\/prod/]],
    [
      `4. A bad file is caught on its own ${pull}`,
      [
        /✗ draven\/validate: 2 errors/,
        findings,
        /--> requests\/docs\/prod\/2026-11-23-v2\.1\.yaml:3:7/,
        /did you mean `deploy`\?/,
        /no job was made/,
      ],
    ],
    [
      '5. Webhooks get lost; polling finds out',
      [/sends [1-9]\d* webhooks, and none arrives/, /by polling \d+\.\d s later/, /✓ success: /],
    ],
    [
      '6. A pipeline fails: the reason is told, the lock is released',
      [/500 Internal Server Error/, /✗ failed: /, /lock_released/, /docs\/stage is free/],
    ],
    ['7. A rollback is a request without a ref', [/type: rollback/, /shop v1\.4\.1 answers: 200 OK/, /✓ success: /]],
    [
      '8. The books',
      [
        /✓ verified: \d+ rows in an unbroken hash chain, head [0-9a-f]{64}/,
        /8 jobs started, each of them triggered exactly once/,
        new RegExp(`shop/prod +v1\\.4\\.2 +success +bob, carla \\(not ${uncounted}\\)`),
        /shop\/prod +v1\.5\.0 +waiting_approval +bob/,
        /billing\/demo +main +running/,
      ],
    ],
  ]
}

/** Of a run that has ended well. */
function expectStory(said: string, told: Told): void {
  // Lines are wrapped to fit; a fact may stand on two of them.
  const scenes = said.replaceAll(/\s+/g, ' ').split(/── (?=\d\. )/)
  expect(scenes[0]).toContain(`Emulated: ${told.name}`)
  for (const [heading, facts] of factsOn(told)) {
    const scene = scenes.find((each) => each.startsWith(heading))
    expect(scene, heading).toBeDefined()
    for (const fact of facts) expect(scene).toMatch(fact)
  }
  for (const [number, fact] of Object.entries(told.besides)) expect(scenes[Number(number)]).toMatch(fact)
  // Said only where the description is there to check against.
  if (/published API description/.test(said)) expect(scenes.at(-1)).toMatch(told.contract)
  expect(said).toMatch(/Status page: http:\/\/127\.0\.0\.1:\d+/)
}

/** A command that the README shows, as people would type it. */
function readmeCommand(words: RegExp): string[] {
  const [command] = words.exec(readFileSync(join(ROOT, 'README.md'), 'utf8')) ?? []
  if (command === undefined) throw new Error(`the README shows no command ${words}`)
  return command.split(' ')
}

describe('the demo', () => {
  it('tells every scene with what really happened and ends well by itself, by the README’s command', {
    timeout: PATIENCE_MS,
  }, async () => {
    demo = startDemo(readmeCommand(/npm run demo -- --fast/))
    expect(await demo.ended, demo.said()).toBe(0)
    expectStory(demo.said(), GITHUB)
    expect(await readdir(folder)).toEqual([])
  })

  it.each(PLAYABLE)(
    'tells the same story on %s, and what is different there',
    {
      timeout: PATIENCE_MS,
    },
    async (forge, told) => {
      demo = startDemo([process.execPath, DEMO, '--forge', forge, '--fast'])
      expect(await demo.ended, demo.said()).toBe(0)
      expectStory(demo.said(), told)
      expect(await readdir(folder)).toEqual([])
    },
  )

  it.each([
    ['an unknown forge', ['--forge', 'sourcehut'], 'There is no forge sourcehut here, only: github, gitlab, bitbucket, gitea\n'],
    ['a forge without a name', ['--forge'], 'npm run demo'],
    ['an unknown option', ['--quick'], 'npm run demo'],
  ])('refuses %s with 2 and says what there is', async (_what, args, said) => {
    demo = startDemo([process.execPath, DEMO, ...args])
    expect(await demo.ended).toBe(2)
    expect(demo.said()).toContain(said)
  })

  it('stays up for visitors, deploys what they push, and cleans up after Ctrl-C', { timeout: PATIENCE_MS }, async () => {
    expect(readmeCommand(/npm run demo(?= *$)/m)).toEqual(['npm', 'run', 'demo'])
    // What that script runs once all is built; npm itself would stand between Ctrl-C and the demo.
    demo = startDemo([process.execPath, DEMO])
    const [, page] = await demo.says(/Status page: (http:\/\/\S+)/)
    const [, address] = await demo.says(/git clone (\S+)/)
    await demo.says(/A branch demo\/… becomes a pull request/)
    const matrix = await (await fetch(page!)).text()
    for (const environment of ['shop/prod', 'docs/prod', 'billing/demo']) expect(matrix).toContain(`/projects/${environment}`)

    await pushRequest(address!, 'requests/shop/stage/visitor.yaml')
    await demo.says(/you +pushed demo\/visitor; it is pull request #\d+ now[\s\S]*✓ success: /)

    demo.child.kill('SIGINT')
    expect(await demo.ended, demo.said()).toBe(0)
    expect(await readdir(folder)).toEqual(['visitor'])
  })
})

/** What the demo invites its visitors to do. */
async function pushRequest(address: string, path: string): Promise<void> {
  const clone = join(folder, 'visitor')
  const git = (...args: string[]) => execFileSync('git', ['-C', clone, ...args], { stdio: 'pipe' })
  execFileSync('git', ['clone', '--quiet', address, clone], { stdio: 'pipe' })
  await mkdir(join(clone, path, '..'), { recursive: true })
  await writeFile(join(clone, path), requestFile('branch: develop', { reason: 'My first request' }))
  git('switch', '--quiet', '--create', 'demo/visitor')
  git('add', '.')
  git('-c', 'user.name=Visitor', '-c', 'user.email=visitor@example.test', 'commit', '--quiet', '--message', 'My first request')
  git('push', '--quiet', 'origin', 'demo/visitor')
}
