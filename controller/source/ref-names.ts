/**
 * The names we let near a command line: no leading dash, no shell or glob character, no space, nothing outside ASCII.
 * Git itself accepts far more (`x$(id)`, `--upload-pack=x` below refs/heads/); a host's unusual names are refused, not quoted.
 */
const SAFE_NAME = /^[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}$/
/** What `git check-ref-format` refuses and the character list above still lets through. */
const MALFORMED = /\.\.|\/\/|\/\.|\.\/|\/$|\.$|\.lock(?:\/|$)|\/-/

export function isSafeBranchName(name: string): boolean {
  return SAFE_NAME.test(name) && !MALFORMED.test(name)
}

/** A full ref name such as `refs/heads/main` or `refs/pull/7/head`. */
export function isSafeRefName(name: string): boolean {
  return name.startsWith('refs/') && isSafeBranchName(name)
}

/** A name made by `privateRef`. */
export function isPrivateRef(name: string): boolean {
  return /^refs\/draven\/(?:heads|pulls|commits)\/[A-Za-z0-9._%-]+$/.test(name)
}

/** One flat private name per foreign name, so that `a` and `a/b` never get in each other's way. */
export function privateRef(namespace: 'heads' | 'pulls' | 'commits', name: string): string {
  return `refs/draven/${namespace}/${encodeURIComponent(name)}`
}
