type Node = Map<string, Branch>
interface Branch {
  fields: Node | null
  range: [from: number, to: number] | null
}

/** What of `value` a `tree=` asks for, as Jenkins answers it: nothing that was not named, and lists cut to their range. */
export function pick(tree: string, value: unknown): unknown {
  let at = 0

  function node(): Node {
    const fields: Node = new Map()
    for (;;) {
      const name = /^\w+/.exec(tree.slice(at))?.[0]
      if (name === undefined) throw new Error(`not a tree: ${tree} at ${at}`)
      at += name.length
      const branch: Branch = { fields: null, range: null }
      if (tree[at] === '[') {
        at++
        branch.fields = node()
        if (tree[at++] !== ']') throw new Error(`not a tree: ${tree} lacks a bracket`)
      }
      const range = /^\{(\d+),(\d+)\}/.exec(tree.slice(at))
      if (range !== null) {
        branch.range = [Number(range[1]), Number(range[2])]
        at += range[0].length
      }
      fields.set(name, branch)
      if (tree[at] !== ',') return fields
      at++
    }
  }

  const fields = node()
  if (at !== tree.length) throw new Error(`not a tree: ${tree} goes on at ${at}`)
  return picked(fields, value)
}

function picked(fields: Node | null, value: unknown): unknown {
  if (Array.isArray(value)) return value.map((item) => picked(fields, item))
  if (typeof value !== 'object' || value === null || fields === null) return value
  const told = value as Record<string, unknown>
  const kept = [...fields].flatMap(([name, branch]) => {
    if (!(name in told)) return []
    const inner = told[name]
    const cut = Array.isArray(inner) && branch.range !== null ? inner.slice(...branch.range) : inner
    return [[name, picked(branch.fields, cut)]]
  })
  return Object.fromEntries(kept)
}
