// Takes pictures of the status page in light and dark, wide and narrow.
//   node scripts/screenshots.mjs --url http://127.0.0.1:8080 --out docs/screenshots
// Without --url it serves the test fixture itself (needs `npm run build` first). Chromium comes from the system.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { chromium } from 'playwright-core'

const { values } = parseArgs({
  options: {
    url: { type: 'string' },
    out: { type: 'string', default: 'docs/screenshots' },
    chromium: { type: 'string', default: process.env.CHROMIUM_PATH ?? '/usr/bin/chromium' },
    only: { type: 'string' },
  },
})

const THEMES = ['light', 'dark']
const WIDTHS = { wide: 1280, narrow: 420 }
const HEIGHT = 900
/** Statuses whose newest job gets a picture of its own. */
const JOB_PICTURES = ['waiting_approval', 'running', 'queued', 'failed', 'success']

const fixture = values.url === undefined ? await serveFixture() : null
const base = values.url ?? fixture.url
const browser = await chromium.launch({
  executablePath: values.chromium,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
})
try {
  mkdirSync(values.out, { recursive: true })
  const pages = Object.entries(await addresses(base)).filter(([name]) => values.only === undefined || name.includes(values.only))
  for (const theme of THEMES) {
    for (const [size, width] of Object.entries(WIDTHS)) await shoot(pages, theme, size, width)
  }
} finally {
  await browser.close()
  fixture?.close()
}

async function shoot(pages, theme, size, width) {
  const context = await browser.newContext({ colorScheme: theme, viewport: { width, height: HEIGHT }, deviceScaleFactor: 2 })
  const page = await context.newPage()
  for (const [name, path] of pages) {
    const answer = await page.goto(new URL(path, base).href)
    if (!answer.ok()) throw new Error(`${path} answered ${answer.status()}`)
    const file = join(values.out, `${name}-${theme}-${size}.png`)
    await page.screenshot({ path: file, fullPage: true })
    console.log(file)
  }
  await context.close()
}

/** Picture name → path. Jobs and environments are found through the JSON twins, whatever the store holds. */
async function addresses(origin) {
  const found = { matrix: '/', jobs: '/jobs', audit: '/audit', config: '/config', system: '/system' }
  const matrix = await json(origin, '/api/v1/matrix')
  const cells = matrix.projects.flatMap((project) => project.cells).filter(Boolean)
  const liveliest = cells.toSorted((a, b) => b.alsoOpen - a.alsoOpen || Number(b.news !== null) - Number(a.news !== null))[0]
  if (liveliest)
    found.environment = `/projects/${encodeURIComponent(liveliest.project)}/${encodeURIComponent(liveliest.environment)}`
  for (const status of JOB_PICTURES) {
    const { jobs } = await json(origin, `/api/v1/jobs?status=${status}`)
    if (jobs[0]) found[`job-${status.replace('_', '-')}`] = `/jobs/${encodeURIComponent(jobs[0].id)}`
  }
  return found
}

async function json(origin, path) {
  const answer = await fetch(new URL(path, origin))
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`)
  return answer.json()
}

async function serveFixture() {
  const [{ serve }, { fixedClock, liveOf, richWorld, viewsOf }, { statusApp }, { createMetrics }] = await Promise.all([
    import('@hono/node-server'),
    import('../dist/test/status-page/fixture.js'),
    import('../dist/controller/status-page/status-app.js'),
    import('../dist/controller/status-page/metrics.js'),
  ])
  const world = richWorld()
  const app = statusApp({
    views: viewsOf(world),
    live: liveOf(world),
    clock: fixedClock(),
    title: 'Draven',
    allowedHosts: null,
    metrics: createMetrics(),
  })
  return new Promise((resolve) => {
    const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, ({ port }) =>
      resolve({ url: `http://127.0.0.1:${port}`, close: () => server.close() }),
    )
  })
}
