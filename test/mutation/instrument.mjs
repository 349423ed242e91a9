import { readFileSync } from 'node:fs'
import { Instrumenter } from '@stryker-mutator/instrumenter'
import { globSync } from 'tinyglobby'

/** What holds sentences here: parts of results, and the variables that become them. */
const WORDED = new Set(['text', 'message', 'help', 'action', 'saw', 'wanted', 'allowed', 'problem'])

/** Another wording decides nothing. Words that something is compared with, or that are passed on by place, stay in. */
const words = {
  shouldIgnore(path) {
    if (!path.isStringLiteral() && !path.isTemplateLiteral()) return undefined
    let whole = path
    while (whole.parentPath.isConditionalExpression() || whole.parentPath.isLogicalExpression()) whole = whole.parentPath
    const { node } = whole.parentPath
    const name = node.type === 'ObjectProperty' ? node.key.name : node.type === 'VariableDeclarator' ? node.id.name : undefined
    return WORDED.has(name) ? 'words for a person' : undefined
  },
}

const silent = { debug() {}, info() {}, isDebugEnabled: () => false }

/**
 * Sources with all their mutants in them, each behind a switch on `globalThis.__stryker__.activeMutant`, by absolute path.
 * The mutators, the switches and the comments that leave a mutant out are Stryker's.
 * @param {readonly string[]} globs from the root
 */
export async function instrument(globs) {
  const names = globSync([...globs], { absolute: true })
  const sources = names.sort().map((name) => ({ name, mutate: true, content: readFileSync(name, 'utf8') }))
  const options = { plugins: null, excludedMutations: [], ignorers: [words], noHeader: false }
  const { files, mutants } = await new Instrumenter(silent).instrument(sources, options)
  return { files: new Map(files.map(({ name, content }) => [name, content])), mutants }
}
