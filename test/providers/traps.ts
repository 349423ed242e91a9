/** Who starts runs. Those that host code as well come first. */
export const FORGES = ['github', 'gitlab', 'bitbucket', 'gitea', 'forgejo'] as const
export const PROVIDERS = [...FORGES, 'jenkins', 'http', 'local'] as const
export type Provider = (typeof PROVIDERS)[number]

/** Tests that show it, by title and file (below test/); or why it cannot happen there. */
export type Shown = readonly (readonly [title: string, file: string])[] | string

export interface Trap {
  id: number
  what: string
  /** What holds for everybody, besides what is said of each. */
  all?: Shown
  of: Readonly<Record<Provider, Shown>>
}

type Few = Partial<Record<Provider, Shown>>

/** What no test of a single provider shows. */
export const HERE = 'It is shown in traps.test.ts.'
const ONE_RUN = [['after $what there are $runs runs by $sent calls', 'providers/one-run.ts']] as const
const KILLED = [['is one run when the controller is killed between the call and its record', 'providers/one-run.ts']] as const
const NO_CODE = 'It hosts no code: refs, CI and reviews are asked of the host that does (`code`).'
const NO_WEBHOOKS = 'It sends no webhooks that are taken: pipelines report by callbacks, by a token of their attempt.'
const NO_REVIEWS = 'Nobody reviews in a plain folder, so what needs approval is refused.'

/** The same for each provider but the few. */
function each(shown: Shown, few: Few = {}): Record<Provider, Shown> {
  return Object.fromEntries(PROVIDERS.map((provider) => [provider, few[provider] ?? shown])) as Record<Provider, Shown>
}
/** What only a host of code can suffer. */
const forges = (shown: Shown, few: Few = {}) => each(shown, { jenkins: NO_CODE, http: NO_CODE, local: NO_REVIEWS, ...few })
const of = (file: string, ...titles: readonly string[]) => titles.map((title) => [title, file] as const)
const approvals = (...titles: readonly string[]) => of('providers/approvals.test.ts', ...titles)
const conformance = (...titles: readonly string[]) => of('providers/conformance.ts', ...titles)
const GITEA_DEFINITION = of(
  'providers/gitea/pipeline.test.ts',
  'by the definition on the default branch, told in full, never by that of the ref to deploy',
)
const MATRIX = of('webhooks/signatures.test.ts', 'with %s answers %i and keeps %i')

export const TRAPS: readonly Trap[] = [
  {
    id: 1,
    what: 'no library sends a trigger again',
    of: each(ONE_RUN, {
      local: 'A process is started by a call inside of this machine; nothing lies between that could repeat it.',
    }),
  },
  {
    id: 2,
    what: 'no answer to a trigger is no "not started": it is searched for by JOB_ID under its lock',
    of: each([...ONE_RUN, ...KILLED], { local: KILLED }),
  },
  {
    id: 3,
    what: 'no commit is sent as a ref, and no bare tag',
    of: each(HERE, { local: 'A command is told the commit and its ref; nothing resolves either.' }),
  },
  {
    id: 4,
    what: 'the definition that runs is not that of the ref to go back to',
    of: each(GITEA_DEFINITION, {
      github: [
        ...of('providers/github/trigger-outcome.test.ts', 'starts the run that the host names'),
        ...of('providers/github/pipeline.test.ts', 'runs the workflow file of another branch when the project says so'),
      ],
      gitlab: of(
        'providers/gitlab/pipeline.test.ts',
        'runs the definition of the default branch, never that of the ref to deploy',
      ),
      bitbucket: of(
        'providers/bitbucket/pipeline.test.ts',
        'is refused in words where the approved commit does not define it',
        'with a workflow_ref runs the definition of that branch, and is told the commit',
      ),
      jenkins: of(
        'providers/jenkins/pipeline.test.ts',
        'is refused by a queue that takes nothing, by a disabled job, and with a definition of its own',
      ),
      http: 'A receiver has its own definition, whatever is deployed.',
      local: of('providers/local/pipeline.test.ts', 'refuses %j, which the controller did not configure'),
    }),
  },
  {
    id: 5,
    what: 'what runs is the approved commit, also when the branch moves before the dispatch',
    all: of(
      'scenarios/threats-ref.test.ts',
      'voids both when it moves in the last moment, unseen, to a commit that everything else allows',
    ),
    of: each(conformance('is started once, told the five agreed names, among them the pinned commit'), {
      bitbucket: of(
        'providers/bitbucket/pipeline.test.ts',
        'that Bitbucket started on another commit is asked to stop, and is not called started',
      ),
    }),
  },
  {
    id: 6,
    what: 'no CI result is no success, and no running CI either',
    all: of('scenarios/threats-approval.test.ts', 'row 12: a project that names no check has no green CI, and takes nothing'),
    of: forges('', {
      github: of('providers/github/refs.test.ts', 'are none where nothing reported, whatever the combined state says'),
      gitlab: of('providers/gitlab/refs.test.ts', 'are none where nothing ran'),
      bitbucket: of('providers/bitbucket/refs.test.ts', 'are none where nothing ran, which is no success'),
      gitea: of('providers/gitea/refs.test.ts', 'has no results where nothing was said, whatever the combined state is called'),
      forgejo: of('providers/gitea/refs.test.ts', 'has no results where nothing was said, whatever the combined state is called'),
      local: of('providers/local/refs.test.ts', 'has no CI results to offer'),
    }),
  },
  {
    id: 7,
    what: 'our own runs, statuses and checks are no CI',
    of: forges('', {
      github: of('providers/github/refs.test.ts', 'leave out what this controller did itself (%s)'),
      gitlab: of(
        'providers/gitlab/refs.test.ts',
        'leave out a pipeline started by %s: our own deploys must never prove that CI succeeded',
        'do not wait for statuses of this controller, which join the pipeline and keep it running',
      ),
      bitbucket: of('providers/bitbucket/refs.test.ts', 'of our own deploys prove nothing', 'never rest on our own statuses'),
      gitea: of('providers/gitea/refs.test.ts', 'is never what we say ourselves, nor a job that was dispatched'),
      forgejo: of('providers/gitea/refs.test.ts', 'is never what we say ourselves, nor a job that was dispatched'),
      local: of('providers/local/refs.test.ts', 'has no CI results to offer'),
    }),
  },
  {
    id: 8,
    what: 'a comment takes no approval back, an objection does, and every page is read',
    all: approvals(
      'one commented after approving',
      'one asked for changes after approving',
      'one approved after asking for changes',
    ),
    of: forges('', {
      github: of('providers/github/reviews.test.ts', 'keeps every review, over all pages, with its state as it is now'),
      gitlab: of(
        'providers/gitlab/reviews.test.ts',
        'does not stand beside the same person asking for changes',
        'reads every page',
      ),
      bitbucket: of('providers/bitbucket/reviews.test.ts', 'is read over as many pages as there are'),
      gitea: of('providers/gitea/reviews.test.ts', 'is not lost on a later page, nor out of order'),
      forgejo: of('providers/gitea/reviews.test.ts', 'is not lost on a later page, nor out of order'),
    }),
  },
  {
    id: 9,
    what: 'no host is trusted to drop stale approvals',
    of: forges(
      approvals(
        'the request changed after the approval',
        'the branch was forced to another request after the approval',
        'what would run changed after the approval',
      ),
    ),
  },
  {
    id: 10,
    what: 'neither the author nor who pushed last approves',
    of: forges(approvals('the author approved', 'the approver pushed', 'the approver pushed after approving')),
  },
  {
    id: 11,
    what: 'no short hash is compared with a whole one',
    of: forges('It tells whole hashes, and nothing shorter is taken for a commit anywhere (shown in traps.test.ts).', {
      bitbucket: of(
        'providers/bitbucket/reviews.test.ts',
        'is read with everything a decision may use, every commit by its whole id',
        'is not believed when Bitbucket answers with another commit',
      ),
    }),
  },
  {
    id: 12,
    what: 'a delivery that comes twice is the same as once, whatever name it has',
    all: of('scenarios/faults.test.ts', 'a webhook comes twice: it is the same as once'),
    of: each(MATRIX, {
      github: of('webhooks/routes.test.ts', 'tells deliveries of two hooks apart although GitHub gives them one GUID'),
      jenkins: NO_WEBHOOKS,
      http: NO_WEBHOOKS,
      local: NO_WEBHOOKS,
    }),
  },
  {
    id: 13,
    what: 'no state is taken from a delivery or its order, and a run that is tried again moves no job that is over',
    all: [
      ...of('scenarios/faults.test.ts', 'webhooks overtake each other: what is so is read, not what is told'),
      ...of('scenarios/faults.test.ts', 'does not bring its job back'),
    ],
    of: each(conformance('keeps its id and shows a higher attempt when somebody tries it again'), {
      jenkins: of('providers/jenkins/pipeline.test.ts', 'shows as two when somebody builds the same again, the first one first'),
      http: of('providers/http-hook/pipeline.test.ts', 'is one, also when somebody sends the same start again'),
      local: of('providers/local/pipeline.test.ts', 'takes an existing run for its own instead of starting another one'),
    }),
  },
  {
    id: 14,
    what: 'no header chooses who checks a delivery, and an empty digest is none',
    of: each(MATRIX, { jenkins: NO_WEBHOOKS, http: NO_WEBHOOKS, local: NO_WEBHOOKS }),
  },
  {
    id: 15,
    what: 'a signature is over the bytes as they came, compared in constant time, and old where it says when',
    all: of('webhooks/signature.test.ts', 'covers the raw bytes, also those that are no text'),
    of: each(MATRIX, {
      gitlab: [...of('webhooks/gitlab.test.ts', 'older than that', 'from the future'), ...MATRIX],
      jenkins: NO_WEBHOOKS,
      http: of('providers/http-hook/pipeline.test.ts', 'is signed as Standard Webhooks says'),
      local: NO_WEBHOOKS,
    }),
  },
  {
    id: 16,
    what: 'what is well proved is never answered with 4xx for being dull, and nothing rests on webhooks alone',
    all: of('scenarios/no-webhooks.test.ts', 'brings every job to the end that it has with webhooks'),
    of: each(HERE, {
      gitlab: of('providers/gitlab/pipeline.test.ts', 'shows that GitLab has stopped calling the webhook'),
      bitbucket: of(
        'scenarios/bitbucket.test.ts',
        'sees a merge whose webhook Bitbucket kept to itself because it was too large',
      ),
      jenkins: NO_WEBHOOKS,
      http: NO_WEBHOOKS,
      local: NO_WEBHOOKS,
    }),
  },
  {
    id: 17,
    what: 'an entry in a list of deployments merges nothing and waits for nothing',
    of: each('It has no list of deployments.', {
      github: of('providers/github/voice.test.ts', 'shows one deployment that follows the job, and merges nothing (%s)'),
      gitlab: of('providers/gitlab/voice.test.ts', 'has one deployment a job, from its start to its end'),
      bitbucket: of('providers/bitbucket/trigger-outcome.test.ts', 'has no list of deployments to write'),
      gitea: of('providers/gitea/refs.test.ts', 'a project has no list of deployments, and the config repository a host'),
      forgejo: of('providers/gitea/refs.test.ts', 'a project has no list of deployments, and the config repository a host'),
    }),
  },
  {
    id: 18,
    what: 'Jenkins drops what is not declared, joins what is alike, forgets its queue and tells results too early',
    of: each('It is not Jenkins.', {
      jenkins: [
        ...of(
          'providers/jenkins/pipeline.test.ts',
          'is not started without what it is to be told: Jenkins would drop it and nobody would know',
          'is not made twice while the same waits in the queue',
          'is known by the item it came from long after the queue forgot that',
        ),
        ...of('providers/jenkins/conformance-host.ts', 'building, UNSTABLE so far'),
      ],
    }),
  },
  {
    id: 19,
    what: 'a wish to stop is no end: the lock is held until the run is over',
    all: of('scenarios/faults.test.ts', 'does not cancel: the lock is held and nobody else starts until the run is really over'),
    of: each(conformance('is not over because the wish to stop it was heard'), {
      gitea: conformance('says in words that nobody can stop it from outside, and goes on'),
      local: of('providers/local/pipeline.test.ts', 'cancels on request, and says so only once it is over'),
    }),
  },
  {
    id: 20,
    what: 'no secret is in an address, a log or a plain variable that outlives its attempt',
    all: [
      ...of('scenarios/threats-secrets.test.ts', 'shows up in no log, page, answer or file, also when a forge repeats it (%s)'),
      ...of('reconcile/callbacks.test.ts', 'is told where to ask and with what, and only a digest of that is kept'),
      ...of('secrets/redaction.test.ts', 'knows authorization headers and private keys'),
    ],
    of: each(HERE, {
      gitlab: of(
        'providers/gitlab/refs.test.ts',
        'are not mended by a status that a developer posts over a failed job, though GitLab then calls the pipeline a success',
      ),
      local: of('providers/local/pipeline.test.ts', 'tells the command the five agreed names and nothing of its own environment'),
    }),
  },
]
