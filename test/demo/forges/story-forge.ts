import type { Clock, Instant } from '../../../controller/clock.ts'
import type { Faults } from '../../sandbox/faults.ts'
import type { Files, GitRepository } from '../../sandbox/git/repository.ts'
import type { Login } from '../config/files.ts'

/** What the story needs of a forge: an emulated one, its people as functions, and what a pull request shows by its own API. */
export interface StoryForge {
  words: ForgeWords
  documents: ForgeDocuments
  /** The controller's settings for it, its own account included. */
  settings: Readonly<Record<string, string>>
  faults: Faults

  /** A repository in which the whole cast may write, and the controller too. */
  createRepo(repo: string, files: Files): Promise<void>
  /** Signed deliveries of all that the controller listens to. */
  addHook(repo: string, kind: 'config' | 'code', url: string): void
  git(repo: string): GitRepository
  gitUrl(repo: string): string
  /** With a token of this person, as people would clone it. */
  cloneUrl(repo: string, by: Login): string

  commit(repo: string, branch: string, files: Files, push: Push): Promise<string>
  createTag(repo: string, tag: string, sha: string, push: Push): Promise<string>
  /** The forge's own CI says that the check of the documents succeeded on this commit. */
  passCi(repo: string, branch: string, sha: string, by: Login): void

  openPull(repo: string, options: { head: string; title: string; author: Login }): Promise<number>
  /** Head of the pull request, as the forge has it. */
  headOf(repo: string, pull: number): Promise<string>
  /** Rejects with the forge's own words where it refuses. */
  approve(repo: string, pull: number, by: Login): Promise<void>
  merge(repo: string, pull: number, by: Login): Promise<void>
  closePull(repo: string, pull: number, by: Login): Promise<void>
  /** What the controller shows there on this head, read as any visitor would. */
  shownOn(repo: string, pull: number, head: string): Promise<Shown>

  /** Runs of a job in this repository, oldest first. */
  runsOf(repo: string, jobId: string): readonly StoryRun[]
  /** Runs ever made for a JOB_ID, in all repositories. */
  triggerCount(jobId: string): number

  /** Resolves when no delivery is on its way. */
  settle(): Promise<void>
  /** In what all calls and answers fit the forge's published description; null: it is not there. Throws where they do not. */
  contractKept(): string | null
  close(): Promise<void>
}

export interface StoryForgeOptions {
  clock: Clock
  /** Temporary folder for repositories (`git/<owner>/<name>.git`) and runs; the caller removes it. */
  root: string
}

export interface Push {
  as: Login
  message: string
}

export interface ForgeWords {
  /** As people call it. */
  name: string
  /** `pull request`. */
  pull: string
  /** Before its number. */
  sign: '#' | '!'
  /** What somebody does to one that is not wanted: `closes`. */
  closes: string
  /** Where each finding is shown. */
  findings: string
  /** How the story explains that a check which waits is not shown. Null where it is. */
  silence: string | null
  /** It takes no approval once the change is merged. */
  refusesLateApprovals: boolean
}

/** How documents of the config repository speak of it. */
export interface ForgeDocuments {
  provider: string
  /** For a project's `api_url`; null where the provider has an address of its own. */
  apiUrl: string | null
  /** Pipeline of every environment. */
  selector: string
  requiredCheck: string
  /** The name under which people's accounts are known. */
  account(login: Login): string
  /** The pipeline's definition in a repository: it runs these lines, with ENV and SHA in its environment. */
  pipeline(script: readonly string[]): Files
}

/** What is shown on a pull request. */
export interface Shown {
  validate: ShownCheck | null
  gate: ShownCheck | null
  /** The controller's comment, as Markdown; empty when there is none. */
  comment: string
}

export interface ShownCheck {
  state: 'success' | 'failure' | 'pending'
  title: string
  /** Findings on their lines; null where the forge knows no such thing. */
  annotations: number | null
}

export interface StoryRun {
  state: 'queued' | 'running' | 'ended'
  createdAt: Instant
  endedAt: Instant | null
  /** Everything that its scripts printed. */
  log: string
}
