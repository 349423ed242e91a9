/** One thing that was looked at. `fix` is null exactly when there is nothing to do. */
export interface Check {
  name: string
  status: 'ok' | 'warn' | 'fail'
  detail: string
  fix: string | null
}

export function ok(name: string, detail: string): Check {
  return { name, status: 'ok', detail, fix: null }
}

export function warn(name: string, detail: string, fix: string): Check {
  return { name, status: 'warn', detail, fix }
}

export function fail(name: string, detail: string, fix: string): Check {
  return { name, status: 'fail', detail, fix }
}
