import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { addAccount } from './accounts.ts'
import {
  createBareRepository,
  type Files,
  type Person,
  readFileAt,
  resolveCommit,
  resolveRef,
  updateRef,
  writeCommit,
  writeTag,
  ZERO_SHA,
} from './git/repository.ts'
import { refMoved } from './refs.ts'
import { type Account, accountOf, type Repository, type Role, repositoryOf, stableId, type World } from './world.ts'

/** What people do with code, without HTTP: for setting scenes, and for moving things at the worst moment. */
export interface CodePeople {
  /** Makes a private repository with a first commit by its owner, who becomes an account when unknown. */
  createRepo(fullName: string, options?: NewRepository): Promise<void>
  /** Copies a repository under another owner. */
  fork(fullName: string, owner: string): Promise<string>
  addCollaborator(repo: string, login: string, role: Role): void
  /** Adds a commit to a branch (made from the default branch when new) and gives its id. */
  commit(repo: string, branch: string, files: Files, options: CommitOptions): Promise<string>
  /** Points a branch at any commit, as a forced push does. */
  forcePush(repo: string, branch: string, sha: string, options: { as: string }): Promise<void>
  /** Deletes a branch or tag by its full name, `refs/tags/v1`. */
  deleteRef(repo: string, ref: string, options: { as: string }): Promise<void>
  createTag(repo: string, tag: string, target: string, options: TagOptions): Promise<string>
  /** As `createTag`, for a name that is taken. */
  moveTag(repo: string, tag: string, target: string, options: TagOptions): Promise<string>
  /** The commit behind a branch, tag or any revision; null when there is none. */
  sha(repo: string, revision: string): Promise<string | null>
  /** Text of a file at a revision; null when it is not there. */
  read(repo: string, revision: string, path: string): Promise<string | null>
}

export interface NewRepository {
  /** Of the first commit; null: the repository is empty, for somebody to push to. */
  files?: Files | null
  defaultBranch?: string
  private?: boolean
}

export interface CommitOptions {
  /** Login of the account that pushes. */
  as: string
  /** Login or person; the pusher unless told. */
  author?: string | Person
  committer?: string | Person
  message?: string
  /** Logins or persons, named in trailers. */
  coAuthors?: readonly (string | Person)[]
  /** Further parents: the commit becomes a merge of these branches or commits. */
  merging?: readonly string[]
}

export interface TagOptions {
  as: string
  /** With a message the tag is annotated. */
  message?: string
}

export function codePeople(world: World): CodePeople {
  const repository = (fullName: string) => repositoryOf(world, fullName)

  async function createRepo(fullName: string, options: NewRepository = {}): Promise<void> {
    const [login = '', name = ''] = fullName.split('/')
    const owner = addAccount(world, login)
    const created = await newRepository(world, owner, name, options.defaultBranch ?? 'main', options.private ?? true)
    if (options.files === null) return
    const files = options.files ?? { 'README.md': `# ${name}\n` }
    await addCommit(world, created, created.defaultBranch, files, { as: login, message: 'First commit' })
  }

  async function fork(fullName: string, login: string): Promise<string> {
    const parent = repository(fullName)
    const copy = await newRepository(world, addAccount(world, login), parent.name, parent.defaultBranch, parent.private)
    copy.forkOf = parent
    await cp(parent.git.path, copy.git.path, { recursive: true })
    return copy.fullName
  }

  async function setTag(repo: string, tag: string, target: string, options: TagOptions): Promise<string> {
    const { git } = repository(repo)
    const actor = accountOf(world, options.as)
    const commit = await existing(repository(repo), target)
    const ref = `refs/tags/${tag}`
    const before = (await resolveRef(git, ref))?.sha ?? ZERO_SHA
    const { message } = options
    const at = world.clock.now()
    const after = message === undefined ? commit : await writeTag(git, { name: tag, target: commit, message, tagger: actor, at })
    await updateRef(git, ref, after)
    await refMoved(world, repository(repo), { ref, before, after, actor })
    return after
  }

  return {
    createRepo,
    fork,
    addCollaborator(repo, login, role) {
      repository(repo).roles.set(addAccount(world, login), role)
    },
    commit: (repo, branch, files, options) => addCommit(world, repository(repo), branch, files, options),
    async forcePush(repo, branch, sha, options) {
      const ref = `refs/heads/${branch}`
      const before = (await resolveCommit(repository(repo).git, ref)) ?? ZERO_SHA
      const after = await existing(repository(repo), sha)
      await updateRef(repository(repo).git, ref, after)
      await refMoved(world, repository(repo), { ref, before, after, actor: accountOf(world, options.as) })
    },
    async deleteRef(repo, ref, options) {
      const before = await resolveRef(repository(repo).git, ref)
      if (!before) throw new Error(`${repo} has no ${ref}`)
      await updateRef(repository(repo).git, ref, null)
      await refMoved(world, repository(repo), { ref, before: before.sha, after: ZERO_SHA, actor: accountOf(world, options.as) })
    },
    createTag: setTag,
    moveTag: setTag,
    sha: (repo, revision) => resolveCommit(repository(repo).git, revision),
    async read(repo, revision, path) {
      return readFileAt(repository(repo).git, await existing(repository(repo), revision), path)
    },
  }
}

async function newRepository(
  world: World,
  owner: Account,
  name: string,
  defaultBranch: string,
  isPrivate: boolean,
): Promise<Repository> {
  const fullName = `${owner.login}/${name}`
  if (world.repositories.has(fullName.toLowerCase())) throw new Error(`${fullName} is already there`)
  const now = world.clock.now()
  const repository: Repository = {
    id: stableId(`repository ${fullName}`),
    owner,
    name,
    fullName,
    git: await createBareRepository(world.programs, join(world.root, 'git', owner.login, `${name}.git`), defaultBranch),
    defaultBranch,
    private: isPrivate,
    forkOf: null,
    createdAt: now,
    pushedAt: now,
    roles: new Map(),
    nextNumber: 1,
    pulls: [],
    activities: [],
    suites: [],
    checks: [],
    statuses: [],
    comments: [],
    deployments: [],
    hooks: [],
    workflowIds: new Map(),
    runs: [],
  }
  world.repositories.set(fullName.toLowerCase(), repository)
  return repository
}

async function addCommit(
  world: World,
  repository: Repository,
  branch: string,
  files: Files,
  options: CommitOptions,
): Promise<string> {
  const actor = accountOf(world, options.as)
  const person = (who: string | Person) => (typeof who === 'string' ? accountOf(world, who) : who)
  const author = person(options.author ?? options.as)
  const ref = `refs/heads/${branch}`
  const before = await resolveCommit(repository.git, ref)
  const start = before ?? (await resolveCommit(repository.git, `refs/heads/${repository.defaultBranch}`))
  const merged = await Promise.all((options.merging ?? []).map((revision) => existing(repository, revision)))
  const trailers = (options.coAuthors ?? []).map(person).map(({ name, email }) => `Co-authored-by: ${name} <${email}>`)
  const subject = options.message ?? `Change ${Object.keys(files).join(', ')}`
  const message = trailers.length === 0 ? subject : `${subject}\n\n${trailers.join('\n')}`
  const parents = [...(start ? [start] : []), ...merged]
  const committer = person(options.committer ?? author)
  const after = await writeCommit(repository.git, { parents, author, committer, message, at: world.clock.now() }, files)
  await updateRef(repository.git, ref, after)
  await refMoved(world, repository, { ref, before: before ?? ZERO_SHA, after, actor })
  return after
}

async function existing(repository: Repository, revision: string): Promise<string> {
  const sha = await resolveCommit(repository.git, revision)
  if (!sha) throw new Error(`${repository.fullName} has no commit ${revision}`)
  return sha
}
