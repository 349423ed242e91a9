import type { Octokit } from '@octokit/rest'
import { messageOf, RefusedFault, TransientFault } from '../../errors.ts'
import type { CallFailure } from '../http.ts'
import type { GithubCredential } from './credential.ts'
import { bareOctokit, type OctokitOptions } from './octokit.ts'

/** Calls on one repository of one GitHub host. */
export interface GithubClient {
  octokit: Octokit
  owner: string
  repo: string
}

export function githubClient(
  options: OctokitOptions & { credential: GithubCredential; owner: string; repo: string },
): GithubClient {
  const octokit = bareOctokit(options)
  // Wrapped last, so it runs first: a failure to get a credential is known to come before the call itself.
  octokit.hook.wrap('request', async (request, call) => {
    const authorization = await options.credential.authorization().catch((error: unknown) => {
      throw beforeTheCall(error)
    })
    call.headers.authorization = authorization
    try {
      return await request(call)
    } catch (error) {
      const isRenewable = error instanceof RefusedFault && error.status === 401 && options.credential.forget(authorization)
      // An installation token ends when its hour is over, or when somebody revokes it: the call was not carried out.
      throw isRenewable ? beforeTheCall(new TransientFault(messageOf(error))) : error
    }
  })
  return { octokit, owner: options.owner, repo: options.repo }
}

function beforeTheCall(error: unknown): unknown {
  if (!(error instanceof TransientFault)) return error
  return new TransientFault(error.message, error.retryAfterMs, { cause: { sent: false, status: null } satisfies CallFailure })
}

/** `owner/name`, both checked, because they become parts of a path. */
export function repositoryName(fullName: string): { owner: string; repo: string } {
  const [owner = '', repo = '', ...more] = fullName.split('/')
  const plain = /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}$/
  if (more.length > 0 || !plain.test(owner) || !plain.test(repo)) {
    throw new RefusedFault(`${JSON.stringify(fullName)} is not a repository of the form owner/name.`)
  }
  return { owner, repo }
}

/** Answers of a list call, page by page, for as long as the host links to a next one. */
export async function* pages<Data extends object>(
  send: (page: number) => Promise<{ data: Data; headers: { link?: string | undefined } }>,
): AsyncGenerator<Data> {
  // Not octokit.paginate: it takes a 409 for an empty list.
  for (let page = 1; ; page++) {
    const answer = await send(page)
    yield answer.data
    if (nextPage(answer.headers.link) === null) return
  }
}

/** The address of the next page in a `Link` header. */
export function nextPage(link: string | undefined): URL | null {
  const address = link?.match(/<([^<>]+)>;\s*rel="next"/)?.[1]
  return address !== undefined && URL.canParse(address) ? new URL(address) : null
}
