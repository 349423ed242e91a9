import { describe, expect, test } from 'vitest'
import { LOG_STREAMS } from '../../controller/jobs/callback.ts'
import type { Job } from '../../controller/jobs/job.ts'
import { environmentKey } from '../../controller/model/names.ts'
import { safeUrl } from '../../controller/status-page/links.ts'
import { visible } from '../../controller/status-page/markup.ts'
import { createMetrics } from '../../controller/status-page/metrics.ts'
import { statusApp } from '../../controller/status-page/status-app.ts'
import {
  desiredState,
  environment,
  fixedClock,
  job,
  jobIdOf,
  liveOf,
  NOW,
  project,
  reason,
  richWorld,
  viewsOf,
  type World,
} from './fixture.ts'

const CLOSINGS = [
  '',
  '"',
  "'",
  '">',
  "'>",
  '-->',
  '</code>',
  '</title>',
  '</textarea>',
  '</pre>',
  '`',
  '&quot;>',
  '\u0000"',
  '%22%3E',
]
const ATTACKS = [
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '<svg/onload=alert(1)>',
  '<iframe srcdoc="<script>alert(1)</script>">',
  '<a href="javascript:alert(1)">x</a>',
  '<style>*{display:none}</style>',
  '<meta http-equiv="refresh" content="0;url=https://evil.example">',
  '<base href="https://evil.example/">',
  ' onmouseover=alert(1) x=',
  '<form action="https://evil.example"><button>',
  '<math><mtext><script>alert(1)</script></mtext></math>',
  '<ScRiPt >alert(1)</sCrIpT>',
  '<!--<script>',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the payload is the text of a template
  '${alert(1)}{{7*7}}',
  '\u202e<b>txt.exe',
]
const PAYLOADS = CLOSINGS.flatMap((closing) => ATTACKS.map((attack) => closing + attack))

const BAD_URLS = [
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  ' javascript:alert(1)',
  'java\nscript:alert(1)',
  '\u0001javascript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  'vbscript:msgbox(1)',
  'http://evil.example/',
  'https://user:pass@evil.example/',
  '//evil.example/',
  'ftp://evil.example/',
  'file:///etc/passwd',
  'blob:https://evil.example/1',
  'http://localhost.evil.example/',
  'https://',
  '',
]

/** The payload in every place that a repository, a forge or a pipeline can write to. */
function poisoned(payload: string): World {
  const url = `https://github.example/${payload}`
  const why = reason('ref_not_allowed', payload, {
    waitingFor: [{ kind: 'person', ref: payload, done: false }],
    action: { text: payload, command: payload, url: payload },
  })
  const bad = (seq: number, status: Job['status']): Job =>
    job(seq, `${payload.replaceAll('/', '∕')}/prod`, payload, status, {
      reason: why,
      gates: [{ gate: 'ref', verdict: 'wait', reason: why, saw: payload, wanted: payload, forced: false }],
      approvals: [
        {
          reviewId: payload,
          account: payload,
          person: null,
          state: 'approved',
          counted: true,
          why: null,
          text: payload,
          submittedAt: NOW,
          url: payload,
        },
      ],
      requestReason: payload,
      requester: payload,
      requestPath: payload,
      pullRequest: { number: 1, url },
    })
  const world = richWorld()
  world.lines = LOG_STREAMS.map((stream, index) => ({
    jobId: jobIdOf(1),
    seq: index + 1,
    attempt: 1,
    at: NOW,
    stream,
    text: payload,
  }))
  const name = payload.replaceAll('/', '∕')
  const finding = {
    code: payload,
    severity: 'error' as const,
    message: payload,
    place: { file: payload, line: 1, column: 1, endColumn: 9 },
    excerpt: payload,
    allowed: payload,
    related: { label: payload, place: { file: payload, line: 1, column: 1, endColumn: 2 } },
    help: payload,
  }
  const jobs = [bad(1, 'success'), bad(2, 'queued'), bad(3, 'failed')]
  return {
    ...world,
    jobs,
    runs: world.runs
      .slice(0, 1)
      .map((run) => ({ ...run, jobId: jobIdOf(2), url: payload, detail: payload, externalId: payload, selector: payload })),
    audit: world.audit
      .slice(0, 1)
      .map((row) => ({ ...row, jobId: jobIdOf(2), actor: payload, environment: payload, data: { [payload]: payload } })),
    health: { ...world.health, error: payload, sourceError: payload, version: payload },
    config: { ...world.config!, frozen: why },
    desired: desiredState({
      repository: { ...desiredState().repository, title: payload },
      projects: new Map([[name, project(name, payload)]]),
      environments: new Map([[environmentKey(name, 'prod'), environment(name, 'prod', { url: payload, promoteFrom: payload })]]),
      holds: desiredState().holds.map((hold) => ({
        ...hold,
        name: payload,
        reason: payload,
        scope: { projects: null, environments: null },
      })),
      findings: [finding],
      closed: [finding],
    }),
  }
}

function appOf(world: World) {
  return statusApp({
    views: viewsOf(world),
    live: liveOf(world),
    clock: fixedClock(),
    title: 't',
    allowedHosts: null,
    metrics: createMetrics(),
  })
}

async function pagesOf(world: World): Promise<string[]> {
  const app = appOf(world)
  const name = encodeURIComponent(world.jobs[0]!.project)
  const paths = [
    '/',
    '/jobs',
    `/jobs/${jobIdOf(1)}`,
    `/jobs/${jobIdOf(2)}`,
    `/projects/${name}/prod`,
    '/audit',
    '/config',
    '/system',
  ]
  return Promise.all(paths.map(async (path) => (await app.request(path)).text()))
}

/** Names of all tags and their attributes, read as a browser's tokenizer does: quoted values are skipped. */
function tags(page: string): { name: string; attributes: [string, string][] }[] {
  return [...page.matchAll(/<([a-zA-Z!/][^\s>]*)((?:\s+[^\s=>]+(?:="[^"]*")?)*)\s*\/?>/g)].map(([, name = '', rest = '']) => ({
    name,
    attributes: [...rest.matchAll(/([^\s=>]+)(?:="([^"]*)")?/g)].map(([, key = '', value = '']): [string, string] => [
      key,
      value,
    ]),
  }))
}

const OUR_TAGS = new Set(
  'html head meta title link body a header nav img span main footer section div h1 h2 p b i code pre ul ol li dl dt dd table thead tbody tr th td svg path circle rect time aside article !doctype'.split(
    ' ',
  ),
)
const OUR_ATTRIBUTES =
  /^(?:lang|charset|name|content|http-equiv|rel|href|type|class|id|src|alt|width|height|aria-[a-z]+|role|tabindex|scope|colspan|title|datetime|data-environment|viewbox|focusable|fill|stroke|stroke-[a-z]+|d|cx|cy|r|x|y|rx|html)$/i

/** Everything in the page's markup that is not ours. */
function strangers(page: string): string[] {
  const found = tags(page)
  const brackets = page.split('<').length - 1
  return [
    ...(brackets === found.length ? [] : [`${brackets} brackets, but ${found.length} tags`]),
    ...found.filter(({ name }) => !OUR_TAGS.has(name.replace(/^\//, '').toLowerCase())).map(({ name }) => `<${name}>`),
    ...found.flatMap(({ attributes }) =>
      attributes
        .filter(
          ([key, value]) =>
            !OUR_ATTRIBUTES.test(key) || (key === 'href' && !/^(?:\/(?!\/)|#content$|https:\/\/github\.example\/)/.test(value)),
        )
        .map(([key, value]) => `${key}="${value}"`),
    ),
  ]
}

test('the corpus is large enough to mean something', () => {
  expect(new Set(PAYLOADS).size).toBeGreaterThanOrEqual(200)
})

describe('hostile text', () => {
  test.each(PAYLOADS)('%j stays text on every page', async (payload) => {
    for (const page of await pagesOf(poisoned(payload))) {
      expect(page).toMatch(/^<!doctype html>/)
      expect(strangers(page)).toEqual([])
      expect(page).not.toMatch(/[\u0000-\u0008\u202a-\u202e\u2066-\u2069]/)
    }
  })

  test.each(BAD_URLS)('%j never becomes a link', async (url) => {
    expect(safeUrl(url)).toBeNull()
    for (const page of await pagesOf(poisoned(url)))
      expect(page).not.toMatch(/href="(?!\/[^/]|\/"|#content"|https:\/\/github\.example\/)/)
  })

  test.each(['https://github.example/a/b?c=d#e', 'http://127.0.0.1:3000/x', 'http://localhost:8080/', 'http://[::1]:9/'])(
    '%s may be a link',
    (url) => {
      expect(safeUrl(url)).toBe(url)
    },
  )
})

describe('deceiving characters', () => {
  test.each([
    ['\u202egnp.exe', '\\u{202e}gnp.exe'],
    ['a\u200bb', 'a\\u{200b}b'],
    ['bell\u0007', 'bell\\u{7}'],
    ['\u001b[31m', '\\u{1b}[31m'],
    ['tag\u{e0041}', 'tag\\u{e0041}'],
    ['half \ud800', 'half \\u{d800}'],
    ['two\nlines\tand tab', 'two\nlines\tand tab'],
    ['Zoë 日本 🚀', 'Zoë 日本 🚀'],
  ])('%j is shown as %j', (text, shown) => {
    expect(visible(text)).toBe(shown)
  })
})
