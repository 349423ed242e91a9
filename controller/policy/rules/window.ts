import { toIso } from '../../clock.ts'
import { type Answer, allow, deny, wait } from '../answer.ts'
import type { PolicyFacts } from '../facts.ts'
import { describeWindow, isWindowOpen, windowState } from '../window.ts'
import { localLabel } from '../zone.ts'

/** `restrict_deploy_window`: when jobs may start. A job that runs when the window closes runs on. */
export function windowRule(facts: PolicyFacts): Answer {
  const { environment, request, now } = facts
  const { window, rollbackIgnoresWindow, name } = environment.policy
  if (window === null) return allow({ saw: 'no window', wanted: 'any time' })
  const wanted = describeWindow(window)
  if (isWindowOpen(window, now)) return allow({ saw: 'open', wanted })
  if (request.type === 'rollback' && rollbackIgnoresWindow) return allow({ saw: 'closed, but a rollback may start', wanted })
  const { changesAt } = windowState(window, now)
  if (changesAt === null) {
    return deny(
      facts,
      { saw: 'closed', wanted },
      {
        code: 'window_closed',
        text: `The deploy window of ${environment.key} never opens: ${wanted}.`,
        action: `Mend restrict_deploy_window in the policy ${name}.`,
      },
    )
  }
  return wait(
    facts,
    { saw: 'closed', wanted },
    {
      code: 'window_closed',
      text: `The deploy window of ${environment.key} is closed; it opens ${localLabel(window.tz, changesAt)}.`,
      until: changesAt,
      waitingFor: [{ kind: 'time', ref: toIso(changesAt), done: false }],
      action: 'Nothing to do: the job starts by itself when the window opens.',
    },
  )
}
