import type { FrameFacts } from './frame-facts.ts'
import { icon } from './icons.ts'
import { constantMarkup, html, type Markup } from './markup.ts'
import { ago, moment } from './moments.ts'
import { reasonBlock, shortSha } from './parts.ts'
import { STYLE_VERSION } from './style.ts'

export interface PageOptions {
  /** Null where there are no facts to stand around: error pages. */
  frame: FrameFacts | null
  /** Of this page; the controller's title follows it. */
  heading: string
  /** Address in the navigation that this page belongs to. */
  section: string
  /** Ask the browser to come again: only where something can still change. */
  refresh: boolean
  body: Markup
}

const SECTIONS = [
  ['/', 'Matrix'],
  ['/jobs', 'Jobs'],
  ['/audit', 'Audit'],
  ['/config', 'Config'],
  ['/system', 'System'],
] as const

const REFRESH_SECONDS = 10

/** The frame of every page: head, navigation, banners about what stops everything, and how fresh all this is. */
export function page(options: PageOptions): Markup {
  const { frame } = options
  const title = frame?.title ?? 'Draven'
  return html`${constantMarkup('<!doctype html>')}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
${options.refresh && html`<meta http-equiv="refresh" content="${REFRESH_SECONDS}">`}
<title>${options.heading} · ${title}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/style.css?v=${STYLE_VERSION}">
</head>
<body>
<a class="skip" href="#content">Skip to content</a>
<header class="top"><div class="top-inner">
<a class="brand" href="/"><img src="/assets/icon.svg" alt="" width="26" height="26"><span>${title}</span></a>
<nav aria-label="Pages">${SECTIONS.map(
    ([path, name]) =>
      html`<a href="${path}"${path === options.section && constantMarkup(' aria-current="page"')}>${name}${path === '/config' && findingCount(frame)}</a>`,
  )}</nav>
</div></header>
<main id="content">${frame !== null && banners(frame)}${options.body}</main>
${frame !== null && html`<footer>${freshness(frame, options.refresh)}</footer>`}
</body>
</html>`
}

function findingCount(frame: FrameFacts | null): Markup | null {
  const errors = frame?.config.errors ?? 0
  return errors === 0 ? null : html` <span class="count bad" title="${errors} errors in the config repository">${errors}</span>`
}

function banners({ config, at }: FrameFacts): Markup {
  return html`
${config.frozen !== null && html`<section class="banner bad" aria-label="Frozen">${icon('snow')}<div><h2>Nothing new starts: the configuration is frozen</h2>${reasonBlock(config.frozen, at, 'bad')}</div></section>`}
${config.closedBy.length > 0 && html`<section class="banner bad" aria-label="Closed">${icon('hand')}<div><h2>Nothing new starts until these files can be read</h2><p>They may forbid something, and an unreadable rule is never taken for permission: ${config.closedBy.map((file, index) => html`${index > 0 && ', '}<code>${file}</code>`)}. <a href="/config">See what is wrong</a></p></div></section>`}
${config.stale && html`<section class="banner wait" aria-label="Stale">${icon('clock')}<div><p><b>The config repository cannot be reached right now.</b> ${config.error ?? ''} ${config.seenAt !== null && html`Last seen ${ago(config.seenAt, at)}; the rules of that moment stay in force.`}</p></div></section>`}
${!config.read && html`<section class="banner run" aria-label="Starting">${icon('info')}<div><p><b>The config repository was not read yet.</b> This page fills itself as soon as it was.</p></div></section>`}`
}

/** For the matrix alone: every other page has the count beside `Config` in the navigation. */
export function findingsBanner({ config }: FrameFacts): Markup | null {
  if (config.errors === 0 || config.closedBy.length > 0) return null
  return html`<section class="banner wait" aria-label="Findings">${icon('warning')}<div><p><b>${countText(config.errors, 'error')}${config.warnings > 0 && ` and ${countText(config.warnings, 'warning')}`} in the config repository.</b> What is valid stays in force. <a href="/config">See where, and how to fix it</a></p></div></section>`
}

function freshness({ at, config, version }: FrameFacts, refresh: boolean): Markup {
  return html`<p>As of ${moment(at, at)}${refresh && html`, again every ${REFRESH_SECONDS} s while jobs are open`}</p>
<p>Config ${config.head !== null && html`<code>${shortSha(config.head)}</code>, `}${config.seenAt === null ? 'not seen yet' : html`seen ${ago(config.seenAt, at)}`} · Draven ${version}</p>`
}

export function countText(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`
}
