import { uuidOf } from '../../sandbox/bitbucket/world.ts'
import type { CodeHost } from '../approvals.test.ts'
import { CONFIG, openBitbucketScene } from './bitbucket-scene.ts'

const PEOPLE = ['alice', 'bob', 'carol', 'dave', 'erin', 'mallory']

/** How access.yaml names an account: by the uuid, since anybody may take any nickname. */
export function bitbucketLogin(nickname: string): string {
  return uuidOf(`bitbucket user ${nickname}`)
}

/** Bitbucket Cloud, without branch restrictions. */
export async function onBitbucket(): Promise<CodeHost> {
  const scene = await openBitbucketScene()
  const { forge } = scene
  const email = (nickname: string) => `${nickname}@acme.test`
  for (const nickname of PEOPLE) forge.user(nickname, { email: email(nickname) })
  forge.user('helper', { type: 'app_user' })
  for (const nickname of [...PEOPLE, 'helper']) forge.addMember(CONFIG, nickname, 'write')
  return {
    provider: 'bitbucket',
    reviews: scene.connect().configHost!.reviews,
    now: () => scene.clock.now(),
    advance: (ms) => scene.clock.advance(ms),
    git: forge.repository(CONFIG).git,
    commit: (branch, files, push) => forge.commit(CONFIG, branch, files, push),
    forcePush: (branch, sha, as) => forge.forcePush(CONFIG, branch, sha, { as }),
    openPull: (branch, base) => forge.openPull(CONFIG, { head: branch, base, author: 'alice' }),
    // Bitbucket lets authors approve their own.
    approve: async (pull, who) => forge.approve(CONFIG, pull, who),
    takeBack: async (pull, who) => forge.unapprove(CONFIG, pull, who),
    requestChanges: async (pull, who) => forge.requestChanges(CONFIG, pull, who),
    comment: async (pull, who) => void forge.comment(CONFIG, pull, who, 'LGTM, approved'),
    merge: async (pull, by, method) => void (await forge.merge(CONFIG, pull, { by, method })),
    // There is no such thing here.
    privateEmail: email,
    check: scene.check,
    close: scene.close,
  }
}
