import { privateEmail } from '../../sandbox/gitea/world.ts'
import type { CodeHost } from '../approvals.test.ts'
import { CONFIG, openGiteaScene } from './gitea-scene.ts'

const PEOPLE = ['alice', 'bob', 'carol', 'dave', 'erin', 'mallory', 'helper']

/** What neither server lets anybody do. */
export const CLOSED_TAKES_NONE: ReadonlyMap<string, string> = new Map([
  ['the approval came after the merge', 'a merged one takes none'],
])

/** Gitea or Forgejo, without branch protection. */
export async function onGitea(server: 'gitea' | 'forgejo'): Promise<CodeHost> {
  const scene = await openGiteaScene(server)
  const { forge } = scene
  for (const login of PEOPLE) {
    forge.user(login, { email: `${login}@acme.test` })
    forge.addCollaborator(CONFIG, login, 'write')
  }
  const { git } = forge.repository(CONFIG)
  const isOpen = (pull: number) => forge.repository(CONFIG).pulls.find(({ number }) => number === pull)?.state === 'open'
  const given = new Map<string, number>()
  async function review(pull: number, by: string, state: 'APPROVED' | 'REQUEST_CHANGES' | 'COMMENT') {
    given.set(`${pull} ${by}`, forge.review(CONFIG, pull, { by, state }))
  }
  return {
    provider: server,
    reviews: scene.connect().configHost!.reviews,
    now: () => scene.clock.now(),
    advance: (ms) => scene.clock.advance(ms),
    git,
    commit: (branch, files, push) => forge.commit(CONFIG, branch, files, push),
    forcePush: (branch, sha, as) => forge.forcePush(CONFIG, branch, sha, { as }),
    openPull: (branch, base) => forge.openPull(CONFIG, { head: branch, base, author: 'alice' }),
    // Nobody approves their own pull request, nor one that is closed.
    approve: async (pull, who) => (who === 'alice' || !isOpen(pull) ? undefined : review(pull, who, 'APPROVED')),
    takeBack: async (pull, who) => forge.dismissReview(CONFIG, pull, given.get(`${pull} ${who}`) ?? 0),
    requestChanges: (pull, who) => review(pull, who, 'REQUEST_CHANGES'),
    comment: (pull, who) => review(pull, who, 'COMMENT'),
    merge: async (pull, by, method) => void (await forge.merge(CONFIG, pull, { by, method })),
    privateEmail,
    check: scene.check,
    close: scene.close,
  }
}
