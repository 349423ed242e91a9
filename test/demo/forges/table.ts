import { onBitbucket } from './bitbucket.ts'
import { onGitea } from './gitea.ts'
import { onGithub } from './github.ts'
import { onGitlab } from './gitlab.ts'
import type { StoryForge, StoryForgeOptions } from './story-forge.ts'

/** The forges that the story can be played on, by the name that the command takes. */
export const FORGES: ReadonlyMap<string, (options: StoryForgeOptions) => Promise<StoryForge>> = new Map([
  ['github', onGithub],
  ['gitlab', onGitlab],
  ['bitbucket', onBitbucket],
  ['gitea', onGitea],
])
