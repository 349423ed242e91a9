import { createHash } from 'node:crypto'
import { customProperties, DARK, LIGHT } from './palette.ts'
import { TONES } from './words.ts'

const tones = TONES.map(
  (tone) => `.${tone} { --tone: var(--${tone}); --tone-ground: var(--${tone}-ground); --tone-edge: var(--${tone}-edge) }`,
).join('\n')

/** The one style sheet, part of the program so that nothing is read from a folder at run time. */
export const STYLE = `
:root { color-scheme: light dark; ${customProperties(LIGHT)};
  --sans: "Inter", system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif;
  --mono: ui-monospace, "SF Mono", "Cascadia Code", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  --radius: 10px }
@media (prefers-color-scheme: dark) { :root { ${customProperties(DARK)} } }
${tones}

*, *::before, *::after { box-sizing: border-box }
html { -webkit-text-size-adjust: 100% }
body { margin: 0; background: var(--ground); color: var(--text); font: 14px/1.5 var(--sans); font-feature-settings: "cv11", "ss03"; -webkit-font-smoothing: antialiased }
h1, h2, p, ul, ol, dl, dd, pre { margin: 0; padding: 0 }
ul, ol { list-style: none }
h1 { font-size: 24px; line-height: 1.25; font-weight: 650; letter-spacing: -0.018em; overflow-wrap: anywhere }
h2 { font-size: 14px; line-height: 1.4; font-weight: 620; letter-spacing: -0.004em }
a { color: var(--link); text-decoration: none }
a:hover { text-decoration: underline; text-underline-offset: 2px }
a.external::after { content: " ↗"; font-size: 0.85em; opacity: 0.75 }
:focus-visible { outline: 2px solid var(--run-edge); outline-offset: 2px; border-radius: 4px }
code, pre { font-family: var(--mono); font-size: 0.92em; font-variant-ligatures: none }
code.wrap { overflow-wrap: anywhere }
b { font-weight: 620 }
time { font-variant-numeric: tabular-nums }
.faint { color: var(--muted) }
.num { font-variant-numeric: tabular-nums }
.nowrap { white-space: nowrap }
.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
.skip { position: absolute; left: -999px; top: 8px; padding: 6px 12px; background: var(--surface); z-index: 9 }
.skip:focus { left: 12px }
.icon { flex: none; width: 1.15em; height: 1.15em; vertical-align: -0.22em }

.top { background: var(--surface); border-bottom: 1px solid var(--line) }
.top-inner { max-width: 1440px; margin: 0 auto; padding: 0 28px; display: flex; flex-wrap: wrap; align-items: center; column-gap: 36px }
.brand { display: flex; align-items: center; gap: 10px; padding: 13px 0; color: var(--text); font-size: 15px; font-weight: 650; letter-spacing: -0.012em }
.brand:hover { text-decoration: none }
.brand img { display: block }
.top nav { display: flex; gap: 4px; overflow-x: auto; scrollbar-width: none; margin: 0 -10px }
.top nav a { padding: 15px 10px 13px; color: var(--muted); font-weight: 500; border-bottom: 2px solid transparent; white-space: nowrap }
.top nav a:hover { color: var(--text); text-decoration: none }
.top nav a[aria-current] { color: var(--text); border-bottom-color: var(--link) }
.count { padding: 1px 6px; border-radius: 99px; background: var(--tone-ground); color: var(--tone); font-size: 11px; font-weight: 620 }

main { max-width: 1440px; margin: 0 auto; padding: 24px 28px 48px }
main > section + section, .main-column > section + section, .side-column > section + section { margin-top: 24px }
footer { max-width: 1440px; margin: 0 auto; padding: 16px 28px 32px; color: var(--muted); font-size: 12.5px; display: flex; flex-wrap: wrap; justify-content: space-between; gap: 4px 24px; border-top: 1px solid var(--line) }
.lead { color: var(--muted); margin: 4px 0 14px; max-width: 76ch }
.crumbs { font-size: 13px; margin-bottom: 8px }
.title { display: flex; flex-wrap: wrap; align-items: center; gap: 8px 12px; margin-bottom: 14px }
.title .ref { font-size: 0.9em; padding: 1px 7px; border-radius: 6px; background: var(--sunken); border: 1px solid var(--line) }
.title .to { color: var(--muted); font-weight: 500 }

.badge { display: inline-flex; align-items: center; gap: 5px; padding: 1px 8px 1px 6px; border-radius: 99px; background: var(--tone-ground); color: var(--tone); font-size: 12px; line-height: 19px; font-weight: 590; white-space: nowrap; vertical-align: middle }
.tag { display: inline-flex; align-items: center; gap: 3px; padding: 0 6px; border: 1px solid var(--line); border-radius: 5px; color: var(--muted); font-size: 11.5px; line-height: 18px; font-weight: 500; white-space: nowrap }
.tag.loud { color: var(--bad); border-color: var(--bad-edge) }
.mark { display: inline-flex; align-items: center; gap: 4px; color: var(--tone); font-size: 12px; font-weight: 530; white-space: nowrap }
.ref { font-weight: 600; color: inherit; overflow-wrap: anywhere }
.sha { color: var(--muted); margin-left: 3px }

.banner { display: flex; gap: 12px; margin-bottom: 14px; padding: 12px 16px; border: 1px solid var(--tone-edge); border-radius: var(--radius); background: var(--tone-ground); color: var(--text); overflow-wrap: anywhere }
.banner > .icon { color: var(--tone); margin-top: 2px; width: 18px; height: 18px }
.banner .reason { margin: 4px 0 0; padding: 0; border: 0; background: none }

.strip { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: 12px; margin-bottom: 20px }
.tile { padding: 12px 14px; background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius); min-width: 0 }
.tile h2 { display: flex; align-items: center; gap: 7px; font-size: 13px; color: var(--tone, var(--muted)) }
.tile.calm h2 { color: var(--muted) }
.tile-count { margin-left: auto; font-size: 20px; line-height: 1; font-weight: 650; font-variant-numeric: tabular-nums; color: var(--text) }
.tile.calm .tile-count { color: var(--muted); font-weight: 500 }
.tile ul { margin-top: 8px; display: grid; grid-template-columns: minmax(0, 1fr); gap: 3px }
.tile > p { margin-top: 8px; font-size: 13px }
.tile li { display: flex; gap: 8px; justify-content: space-between; font-size: 13px; white-space: nowrap }
.tile li > .faint { flex: none }
.tile li a { min-width: 0; overflow: hidden; text-overflow: ellipsis; color: var(--text) }
.tile li .ref { font-weight: 500; color: var(--muted) }
.tile .more { margin-top: 4px; font-size: 12.5px }

.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: var(--radius); background: var(--surface) }
table { border-collapse: separate; border-spacing: 0; width: 100% }
th { text-align: left; font-weight: 590 }
thead th { padding: 9px 14px; font-size: 12px; color: var(--muted); border-bottom: 1px solid var(--line); white-space: nowrap }
.matrix th, .matrix td { vertical-align: top }
.matrix tbody th, .matrix tbody td { border-top: 1px solid var(--line) }
.matrix tbody tr:first-child > * { border-top: 0 }
.matrix td { padding: 0; min-width: 250px; width: 28%; border-left: 1px solid var(--line); height: 1px }
.matrix thead th + th { border-left: 1px solid var(--line) }
.matrix th:first-child { position: sticky; left: 0; z-index: 2; background: var(--surface); min-width: 168px; max-width: 220px }
.matrix tbody th { padding: 13px 14px; font-size: 14px; overflow-wrap: anywhere }
.matrix tbody th a { color: var(--text) }
.matrix .tag { margin-left: 6px }
.description { display: block; margin-top: 2px; color: var(--muted); font-size: 12.5px; font-weight: 400; line-height: 1.4 }
.matrix td.none { background: var(--sunken) }
.cell { position: relative; padding: 12px 14px; height: 100%; overflow-wrap: anywhere }
.cell:hover { background: color-mix(in srgb, var(--sunken) 55%, transparent) }
.cell-link { position: absolute; inset: 0 }
.cell a:not(.cell-link) { position: relative; color: var(--text) }
.cell-current { font-size: 14px }
.cell-current .ref { font-size: 14px }
.cell-meta { display: flex; flex-wrap: wrap; align-items: center; gap: 3px 8px; margin-top: 5px; color: var(--muted); font-size: 12.5px }
.cell-empty { font-size: 13px }
.news { margin-top: 10px; padding: 8px 10px; border: 1px solid color-mix(in srgb, var(--tone-edge) 38%, transparent); border-radius: 8px; background: color-mix(in srgb, var(--tone-ground) 42%, transparent) }
.news.idle { padding: 0; border: 0; background: none; color: var(--muted) }
.news-head { display: flex; flex-wrap: wrap; align-items: center; gap: 3px 8px }
.news-text { margin-top: 4px; font-size: 12.5px; line-height: 1.45 }
.marks { display: flex; flex-wrap: wrap; gap: 2px 12px; margin-top: 8px }
.marks:empty { display: none }
.cell-note { display: flex; gap: 5px; margin-top: 5px; color: var(--muted); font-size: 12.5px; line-height: 1.45 }
.cell-note .icon { margin-top: 2px }
.cell-note.wait { color: var(--tone) }

.list td, .list tbody th { padding: 9px 14px; border-top: 1px solid var(--line); vertical-align: top; overflow-wrap: break-word }
.list tbody tr:first-child > * { border-top: 0 }
.list tbody tr:hover { background: color-mix(in srgb, var(--sunken) 55%, transparent) }
.list td { font-size: 13.5px }
.list .what { min-width: 180px }
.columns .jobs td, .columns .jobs th { padding-left: 10px; padding-right: 10px }
.columns .jobs .what, .columns .jobs .why { min-width: 150px }
.list .why { min-width: 220px; max-width: 460px }
.list .subject { color: var(--text) }
.list .num { color: var(--muted) }
.list td.num .faint { font-weight: 400 }
.list .narrow { width: 1px }
.gates tbody th { font-weight: 560; white-space: nowrap }
.gates .gate-reason td { border-top: 0; padding-top: 0; color: var(--muted); font-size: 13px }
.gates tr.wait, .gates tr.wait:hover { background: color-mix(in srgb, var(--wait-ground) 42%, transparent) }
.gates tr.deny, .gates tr.deny:hover { background: color-mix(in srgb, var(--bad-ground) 55%, transparent) }
.audit .what { min-width: 300px }

.filters { margin: 14px 0 18px; display: grid; gap: 6px }
.filter { display: flex; align-items: center; gap: 4px; overflow-x: auto; scrollbar-width: none }
.filter-name { flex: none; width: 92px; color: var(--muted); font-size: 12.5px }
.filter a { display: inline-flex; align-items: center; gap: 5px; flex: none; padding: 3px 10px; border: 1px solid transparent; border-radius: 99px; color: var(--muted); font-size: 13px; white-space: nowrap }
.filter a:hover { color: var(--text); text-decoration: none; background: var(--sunken) }
.filter a[aria-current] { color: var(--text); background: var(--surface); border-color: var(--line); font-weight: 560 }
.pager { display: flex; gap: 16px; margin-top: 14px; font-weight: 530 }

.reason { margin: 0 0 24px; padding: 14px 18px; border: 1px solid color-mix(in srgb, var(--tone-edge) 45%, transparent); border-radius: var(--radius); background: color-mix(in srgb, var(--tone-ground) 42%, var(--surface)); overflow-wrap: anywhere }
.reason-text { font-size: 16px; line-height: 1.45; font-weight: 540; letter-spacing: -0.006em }
.reason-meta { display: flex; flex-wrap: wrap; gap: 2px 16px; margin-top: 4px; color: var(--muted); font-size: 13px }
.reason-action { display: flex; gap: 8px; margin-top: 10px }
.reason-action .icon { margin-top: 3px; color: var(--tone) }
.columns { display: grid; grid-template-columns: minmax(0, 1fr) 316px; gap: 24px; align-items: start }
.main-column h2, .side-column h2 { margin-bottom: 8px; font-size: 15px }
.main-column .lead { margin: -4px 0 10px; font-size: 13px }
.card { padding: 14px 16px; background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius); overflow-wrap: anywhere }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 16px }
.cards h2 { margin-bottom: 8px }
.cards .tall { grid-row: span 2 }
.cards dl + .rules { margin-top: 10px; padding-top: 10px; border-top: 1px solid var(--line) }
dl > div { display: flex; align-items: baseline; gap: 12px; padding: 5px 0; border-top: 1px solid var(--line); font-size: 13px }
dl > div:first-child { border-top: 0 }
dt { flex: none; width: 108px; color: var(--muted) }
.cards dt { width: 164px }
dd { min-width: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums }
pre { padding: 12px 14px; overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; background: var(--sunken); font-size: 12.5px; line-height: 1.6; tab-size: 2 }
pre .file { display: block; user-select: none; margin: -2px 0 8px; padding-bottom: 8px; border-bottom: 1px solid var(--line); color: var(--muted) }
.card pre { margin-top: 10px; white-space: pre-wrap }
pre.command { margin-top: 8px }
.caret { color: var(--bad); font-weight: 600 }
.wait .caret { color: var(--wait) }

.reviews, .runs { border: 1px solid var(--line); border-radius: var(--radius); background: var(--surface) }
.reviews li, .runs li { padding: 11px 14px; border-top: 1px solid var(--line); overflow-wrap: anywhere }
.reviews li:first-child, .runs li:first-child { border-top: 0 }
.review-head { display: flex; flex-wrap: wrap; align-items: center; gap: 3px 9px }
.reviews p, .runs p { margin-top: 3px; font-size: 13px }
.detail { color: var(--muted) }
.log { padding: 8px 14px; list-style: none; max-height: 480px; overflow-y: auto; font-size: 12.5px; line-height: 1.55 }
.log time { color: var(--muted); font-family: var(--mono); font-size: 11.5px }
.log code { white-space: pre-wrap; overflow-wrap: anywhere }
.log .event code { font-weight: 560 }
.log .stream { margin-left: 6px; color: var(--muted); font-size: 11px }
.timeline { padding: 6px 0 }
.timeline li { position: relative; display: grid; grid-template-columns: 92px minmax(0, 1fr); gap: 22px; padding: 5px 0; font-size: 13.5px }
.timeline li.day { display: block; padding: 8px 0 6px; color: var(--muted); font-size: 12.5px; font-weight: 560 }
.timeline li.day:first-child { padding-top: 0 }
.timeline li.day::before, .timeline li.day::after { display: none }
.timeline li::before { content: ""; position: absolute; left: 100px; top: 12px; width: 7px; height: 7px; border-radius: 50%; background: var(--surface); border: 2px solid var(--idle-edge); z-index: 1 }
.timeline li::after { content: ""; position: absolute; left: 103px; top: 12px; bottom: -12px; width: 1px; background: var(--line) }
.timeline li:last-child::before { background: var(--link); border-color: var(--link) }
.timeline li:last-child::after { display: none }
.when { text-align: right; color: var(--muted); font-variant-numeric: tabular-nums; white-space: nowrap; font-size: 12.5px; line-height: 21px }
.gap { display: block; font-size: 11.5px; line-height: 1.2 }
.what { overflow-wrap: anywhere }
.sentence { display: block; font-size: 13px }
.change { white-space: nowrap; color: var(--muted) }
.change .icon { vertical-align: -0.18em }
.facts { display: flex; flex-wrap: wrap; gap: 0 14px; color: var(--muted); font-size: 12.5px }
.facts i { font-style: normal; opacity: 0.85 }
.facts i::after { content: ":" }

.rules { display: grid; gap: 6px; font-size: 13px }
.rules + p { margin-top: 10px; font-size: 12.5px }
.people { display: flex; flex-wrap: wrap; gap: 6px }
.people li { padding: 2px 10px; border-radius: 99px; background: var(--sunken); border: 1px solid var(--line); font-size: 13px }
.now { padding: 14px 16px; background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius); overflow-wrap: anywhere }
.now-ref { font-size: 18px }
.now-ref a { color: var(--text) }
.now > .faint { margin-top: 6px; font-size: 13px }
.lock-line { display: flex; gap: 8px; margin-top: 8px; font-size: 13px }
.lock-line .icon { margin-top: 3px }

.findings { display: grid; grid-template-columns: minmax(0, 1fr); gap: 14px }
.finding { padding: 14px 16px; background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius); overflow-wrap: anywhere }
.finding h2 { font-size: 15px; line-height: 1.5 }
.finding h2 .badge { vertical-align: 1px; margin-right: 4px }
.finding p { display: flex; gap: 8px; margin-top: 8px }
.finding p .icon { margin-top: 3px; color: var(--muted) }
.finding pre { margin-top: 10px }
.finding-place { font-size: 13px; flex-wrap: wrap }

.empty { margin-top: 16px; padding: 28px 28px 30px; border: 1px dashed var(--idle-edge); border-radius: var(--radius) }
.empty-title { font-size: 16px; font-weight: 620; letter-spacing: -0.01em }
.empty > p + p, .empty > pre { margin-top: 8px; max-width: 76ch }
.empty pre + p { margin-top: 10px }
.message { max-width: 560px; margin: 10vh auto }
.message-code { color: var(--muted); font: 600 13px/1 var(--mono); margin-bottom: 12px }
.message p + p { margin-top: 14px }
.message h1 + p { margin-top: 8px }

@media (max-width: 1000px) {
  .strip { grid-template-columns: repeat(2, minmax(0, 1fr)) }
  .columns { grid-template-columns: minmax(0, 1fr) }
}
@media (max-width: 560px) {
  main { padding: 16px 14px 40px }
  .top-inner, footer { padding-left: 14px; padding-right: 14px }
  .brand { padding: 11px 0 2px }
  .top nav { width: calc(100% + 20px) }
  .top nav a { padding: 9px 10px 10px }
  .strip { gap: 8px; margin-bottom: 14px }
  .tile { padding: 10px 12px }
  .tile h2 { font-size: 12.5px; gap: 5px }
  .tile li .ref, .tile li > .faint { display: none }
  .matrix-frame { border: 0; background: none; overflow: visible }
  .matrix, .matrix tbody { display: grid; gap: 12px }
  .matrix thead, .matrix td.none { display: none }
  .matrix tbody tr { display: block; background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius) }
  .matrix tbody th, .matrix tbody td, .matrix tbody tr:first-child > td { display: block; width: auto; min-width: 0; max-width: none; height: auto; border: 0 }
  .matrix tbody th:first-child { position: static; max-width: none; background: none; font-size: 15px }
  .matrix tbody td, .matrix tbody tr:first-child > td { border-top: 1px solid var(--line) }
  .matrix td::before { content: attr(data-environment); display: block; padding: 10px 14px 0; color: var(--muted); font-size: 12px; font-weight: 590 }
  .cell { padding-top: 4px }
  .jobs thead, .gates thead, .audit thead { display: none }
  .jobs tbody tr, .gates tbody tr, .audit tbody tr { display: flex; flex-wrap: wrap; align-items: center; gap: 3px 10px; padding: 11px 14px; border-top: 1px solid var(--line) }
  .jobs tbody tr:first-child, .gates tbody tr:first-child, .audit tbody tr:first-child { border-top: 0 }
  .jobs tbody td, .columns .jobs tbody td, .gates tbody th, .gates tbody td, .audit tbody td { padding: 0; border: 0; width: auto; min-width: 0; max-width: none }
  .jobs .what, .jobs .why, .audit .what { flex-basis: 100% }
  .audit td:empty { display: none }
  .jobs .num { font-size: 12.5px }
  .gates tbody th { flex: 1 }
  .gates td:nth-child(n + 3) { flex-basis: 100%; font-size: 13px }
  .gates td:nth-child(3)::before { content: "Saw: "; color: var(--muted) }
  .gates td:nth-child(4)::before { content: "Wanted: "; color: var(--muted) }
  .gates tbody tr.gate-reason { border-top: 0; padding-top: 0 }
  .gates .gate-reason td:first-child { display: none }
  h1 { font-size: 21px }
  .filter-name { width: 86px }
  .timeline li { grid-template-columns: 72px minmax(0, 1fr); gap: 20px }
  .timeline li.day { display: block; padding: 8px 0 6px; color: var(--muted); font-size: 12.5px; font-weight: 560 }
.timeline li.day:first-child { padding-top: 0 }
.timeline li.day::before, .timeline li.day::after { display: none }
.timeline li::before { left: 79px }
  .timeline li::after { left: 82px }
  .cards { grid-template-columns: minmax(0, 1fr) }
  .reason { padding: 12px 14px }
}
@media (prefers-reduced-motion: no-preference) { .cell, .list tr { transition: background-color 0.12s } }
@media print {
  :root { ${customProperties(LIGHT)} }
  body { font-size: 11px; background: #fff }
  .top nav, .filters, .pager, .skip { display: none }
  main, footer, .top-inner { max-width: none; padding: 8px 0 }
  .scroll { overflow: visible; border-color: #999 }
  .matrix td { min-width: 0 }
  .matrix th:first-child { position: static }
  .columns { grid-template-columns: minmax(0, 1fr) }
  a.external::after { content: " (" attr(href) ")"; word-break: break-all }
  .badge, .news { border: 1px solid #999 }
  section, article, tr, .card { break-inside: avoid }
}
`

/** In the style sheet's address, so that a browser may keep it for ever and still never shows an old one. */
export const STYLE_VERSION = createHash('sha256').update(STYLE).digest('hex').slice(0, 12)
