/** Cuts to what a host takes, by UTF-16 length, never through a character; a cut text ends in `…`. */
export function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text
  const kept = text.slice(0, maxLength - 1)
  return `${/[\ud800-\udbff]$/.test(kept) ? kept.slice(0, -1) : kept}…`
}

/** An address for people, or null when it is not a web address. */
export function webUrl(text: unknown): string | null {
  return typeof text === 'string' && /^https?:\/\//.test(text) && URL.canParse(text) ? text : null
}

/** Does the title of a run name this job? The whole id, not a part of a longer word. */
export function namesJob(title: string, jobId: string): boolean {
  const at = title.indexOf(jobId)
  return at !== -1 && !/[0-9A-Za-z]/.test(`${title.charAt(at - 1)}${title.charAt(at + jobId.length)}`)
}

/** Does the title of a run name any job? Whoever triggers a pipeline for us puts the JOB_ID, a UUID, into its name. */
export function namesSomeJob(title: string): boolean {
  return /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/.test(title)
}

/** E-mails of every `Co-authored-by:` line, wherever it stands: naming somebody too many only excludes an approver. */
export function coAuthorEmails(message: string): string[] {
  const lines = message.split(/\r?\n/).map((line) => /^\s*co-authored-by:[^<]*<\s*([^<>\s]+)\s*>/i.exec(line))
  return [...new Set(lines.flatMap((match) => (match?.[1] === undefined ? [] : [match[1].toLowerCase()])))]
}
