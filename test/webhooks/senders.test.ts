import { describe, expect, it } from 'vitest'
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

const GUID = '72d3162e-cc78-11e3-81ab-4c9367dc0958'
const LONGEST = 'a'.repeat(64)

/** Each sender by what it says of a delivery: its event, its name, and which names are none. */
describe('a delivery', () => {
  const bitbucket = (hook: string, request: string) => ({ 'x-hook-uuid': hook, 'x-request-uuid': request })
  const github = (hook: string, delivery: string) => ({ 'x-github-hook-id': hook, 'x-github-delivery': delivery })
  it.each<[string, Record<string, string>, string | null]>([
    ['bitbucket', bitbucket(`{${GUID}}`, GUID), `{${GUID}}:${GUID}`],
    ['bitbucket', bitbucket(GUID.toUpperCase(), GUID), `${GUID.toUpperCase()}:${GUID}`],
    ['bitbucket', bitbucket(`x${GUID}`, GUID), null],
    ['bitbucket', bitbucket(`${GUID}x`, GUID), null],
    ['bitbucket', bitbucket(GUID, `${GUID}-1`), null],
    ['bitbucket', bitbucket(GUID.replaceAll('-', ''), GUID), null],
    ['github', github('1', 'abcdefgh'), '1:abcdefgh'],
    ['github', github('1'.repeat(20), LONGEST), `${'1'.repeat(20)}:${LONGEST}`],
    ['github', github('1'.repeat(21), GUID), null],
    ['github', github('x1', GUID), null],
    ['github', github('1x', GUID), null],
    ['github', github('1', 'abcdefg'), null],
    ['github', github('1', `${LONGEST}a`), null],
    ['github', github('1', `${GUID} `), null],
    ...(['gitea', 'forgejo'] as const).flatMap((server): [string, Record<string, string>, string | null][] => {
      const named = (id: string) => ({ [`x-${server}-delivery`]: id })
      return [
        [server, named('abcdefgh'), 'abcdefgh'],
        [server, named(LONGEST), LONGEST],
        [server, named('abcdefg'), null],
        [server, named(`${LONGEST}a`), null],
        [server, named(`${GUID}:`), null],
        [server, named(`:${GUID}`), null],
      ]
    }),
    ['gitlab', { 'webhook-id': 'msg_1.2-x' }, 'msg_1.2-x'],
    ['gitlab', { 'webhook-id': 'a'.repeat(100), 'idempotency-key': GUID }, 'a'.repeat(100)],
    ['gitlab', { 'idempotency-key': GUID, 'x-gitlab-webhook-uuid': 'another-one' }, GUID],
    ['gitlab', { 'x-gitlab-webhook-uuid': GUID }, GUID],
    ...['short', 'a'.repeat(101), `:${GUID}`, `${GUID}:`, ''].map((id): [string, Record<string, string>, string] => [
      'gitlab',
      { 'webhook-id': id },
      'body:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
    ]),
  ])('of %s with %j is named %s', (provider, headers, id) => {
    expect(senderOf(provider)!.deliveryId((name) => headers[name], Buffer.from('{}'))).toBe(id)
  })

  it.each([
    ['bitbucket', 'x-event-key', 256 * 1024],
    ['forgejo', 'x-forgejo-event', 25 * 1024 * 1024],
    ['gitea', 'x-gitea-event', 25 * 1024 * 1024],
    ['github', 'x-github-event', 25 * 1024 * 1024],
    ['gitlab', 'x-gitlab-event', 25 * 1024 * 1024],
  ])('of %s names its event in %s and is never larger than %i bytes', (provider, header, maxBodyBytes) => {
    const sender = senderOf(provider)!
    expect(sender.maxBodyBytes).toBe(maxBodyBytes)
    expect(sender.event((name) => (name === header ? 'push' : undefined))).toBe('push')
    const nameless = sender.event(() => undefined)
    expect([nameless, sender.isWatched(nameless), sender.isWatched('constructor')]).toEqual(['', false, false])
  })

  it.each(['bitbucket', 'forgejo', 'gitea', 'github', 'gitlab'])(
    'of %s moves no branch where nobody says which is in force',
    (provider) => {
      const sender = senderOf(provider)!
      for (const event of ['push', 'repo:push', 'Push Hook', 'nothing']) {
        const about = { ref: 'refs/heads/main', repository: { full_name: 'a/b' }, project: { path_with_namespace: 'a/b' } }
        expect(sender.nudge(event, about, null)).toEqual(
          sender.isWatched(event) ? { kind: 'repository', repoFullName: 'a/b' } : null,
        )
      }
    },
  )
})
