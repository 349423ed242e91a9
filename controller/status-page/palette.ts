/**
 * The colours, apart from the rules that use them, so that a test can prove every pair readable (WCAG AA, 4.5:1).
 * A tone is a pair: its text on its ground.
 */
export interface Palette {
  ground: string
  surface: string
  sunken: string
  line: string
  text: string
  muted: string
  link: string
  tones: Readonly<Record<'ok' | 'bad' | 'wait' | 'run' | 'idle', { text: string; ground: string; edge: string }>>
}

export const LIGHT: Palette = {
  ground: '#f6f6f4',
  surface: '#ffffff',
  sunken: '#f1f1ee',
  line: '#e2e2dd',
  text: '#191b1f',
  muted: '#5a5f69',
  link: '#23408f',
  tones: {
    ok: { text: '#0f6338', ground: '#e4f4ea', edge: '#2f9e63' },
    bad: { text: '#a81c28', ground: '#fdebea', edge: '#d6414b' },
    wait: { text: '#7a4c00', ground: '#fcf1d8', edge: '#d59a1f' },
    run: { text: '#1f479f', ground: '#e7eefc', edge: '#4c7be0' },
    idle: { text: '#545963', ground: '#ededea', edge: '#b4b7bd' },
  },
}

export const DARK: Palette = {
  ground: '#0f1115',
  surface: '#161920',
  sunken: '#1c2028',
  line: '#2a2f39',
  text: '#e8eaee',
  muted: '#9ba3b0',
  link: '#9dbcff',
  tones: {
    ok: { text: '#79d8a2', ground: '#11301f', edge: '#2f9e63' },
    bad: { text: '#ff9f9b', ground: '#3a181b', edge: '#d6545c' },
    wait: { text: '#f3c873', ground: '#34280e', edge: '#b98a24' },
    run: { text: '#9dbcff', ground: '#182749', edge: '#4c7be0' },
    idle: { text: '#acb3be', ground: '#252a33', edge: '#535b68' },
  },
}

/** The palette as custom properties: `--text: …; --ok: …; --ok-ground: …; --ok-edge: …`. */
export function customProperties({ tones, ...plain }: Palette): string {
  const toned = Object.entries(tones).flatMap(([tone, { text, ground, edge }]) => [
    `--${tone}: ${text}`,
    `--${tone}-ground: ${ground}`,
    `--${tone}-edge: ${edge}`,
  ])
  return [...Object.entries(plain).map(([name, value]) => `--${name}: ${value}`), ...toned].join('; ')
}
