import { expect, it } from 'vitest'
import { bitbucketSender } from '../../controller/webhooks/bitbucket.ts'
import { forgejoSender, giteaSender } from '../../controller/webhooks/gitea.ts'
import { githubSender } from '../../controller/webhooks/github.ts'
import { gitlabSender } from '../../controller/webhooks/gitlab.ts'
import { senderOf } from '../../controller/webhooks/senders.ts'

it('is known by the name of its provider, and by nothing else', () => {
  const senders = {
    bitbucket: bitbucketSender,
    forgejo: forgejoSender,
    gitea: giteaSender,
    github: githubSender,
    gitlab: gitlabSender,
  }
  for (const [provider, sender] of Object.entries(senders)) expect(senderOf(provider)).toBe(sender)
  expect(['local', 'GitHub', '', 'constructor', '__proto__'].map(senderOf)).toEqual([null, null, null, null, null])
})
