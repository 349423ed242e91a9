import { expect, it } from 'vitest'
import { githubSender } from '../../controller/webhooks/github.ts'
import { gitlabSender } from '../../controller/webhooks/gitlab.ts'
import { senderOf } from '../../controller/webhooks/senders.ts'

it('is known by the name of its provider, and by nothing else', () => {
  expect([senderOf('github'), senderOf('gitlab')]).toEqual([githubSender, gitlabSender])
  expect(['local', 'GitHub', '', 'constructor', '__proto__'].map(senderOf)).toEqual([null, null, null, null, null])
})
