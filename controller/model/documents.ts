/*
 * GENERATED from schemas/ by scripts/generate-types.mjs. Do not edit: change the schema and run `node scripts/generate-types.mjs`.
 *
 * The raw documents of the config repository, as YAML writes them. The words of this house:
 *
 *   document / kind      one parsed YAML object / its type
 *   snapshot             all files of the config repository at one commit
 *   desired state        the resolved documents of a snapshot
 *   observed state       rows and evidence at one moment
 *   evidence             facts read for a decision: reviews, CI results, resolved sha
 *   finding              a defect in a document: code, file:line:column, what was found, what is allowed, the fix
 *   request              a document that asks for a change: deploy, rollback or dry_run
 *   job                  the tracked fulfilment of one request
 *   run / run item       one attempt by a provider / its part against one target
 *   subject              digest of exactly what is approved: request, resolved sha, policy, environment, selector
 *   approval             a review that counts
 *   decision             allow, wait or deny, with a reason
 *   dismissal            a review that no longer counts, with the reason
 *   gate / reason code   one check that can hold a job / its stable snake_case word
 *   window               when jobs may start
 *   freeze               when none may
 *   hold                 a human stop with a reason, a file in the repository
 *   force                a job that skips named gates: role, reason and a louder audit
 *   lock / fence         exclusive right to a target, owned by a job / its growing number
 *   lease                time-limited leadership of a controller
 *   nudge / tick         "look at X now", carries no state / one pass of the loop
 *   inbox / outbox       deliveries stored before handling / messages written with the state change
 *   provider             an external system
 *   integration          a configured connection to a provider
 *   actor / role         who acted / viewer, operator, approver or admin
 */

/**
 * Who is who, and who may do what. One file, `access.yaml`. What is not granted here is not allowed.
 */
export interface AccessDocument {
  /**
   * Where an editor finds this schema. The controller does not read it.
   */
  $schema?: string
  /**
   * Version of the format of this file.
   */
  apiVersion: 'draven/v1'
  /**
   * What this file describes.
   */
  kind: 'Access'
  /**
   * Everybody who may act, by a short id of your choice. People are counted, not accounts.
   */
  people: {
    /**
     * One human being.
     */
    [k: string]: {
      /**
       * As colleagues know them.
       */
      name: string
      /**
       * Login of this person at each code host; at Bitbucket the account's UUID without braces, since anybody may take any nickname. With `id`, the account is recognised only when the host reports that id too: a freed login can be registered by a stranger.
       */
      accounts: {
        /**
         * The login, or login and id.
         */
        [k: string]:
          | string
          | {
              /**
               * User name at the host.
               */
              login: string
              /**
               * The host's own id of the account, as text.
               */
              id?: string
            }
      }
      /**
       * Addresses this person commits with. They show that somebody is an author; they never grant anything.
       */
      emails?: string[]
    }
  }
  /**
   * Named lists of people, for bindings.
   */
  groups?: {
    /**
     * Ids of people.
     *
     * @minItems 1
     */
    [k: string]: string[]
  }
  /**
   * Who holds which role, and where. Without `projects` and `environments` a binding holds everywhere.
   *
   * @minItems 1
   *
   * Items: One grant.
   */
  bindings: {
    /**
     * viewer sees, operator also requests, approver also approves, admin also changes rules and forces.
     */
    role: 'viewer' | 'operator' | 'approver' | 'admin'
    /**
     * Ids of people.
     *
     * @minItems 1
     */
    people?: string[]
    /**
     * Names of groups.
     *
     * @minItems 1
     */
    groups?: string[]
    /**
     * Only in these projects. Left out: in all.
     *
     * @minItems 1
     */
    projects?: string[]
    /**
     * Only in environments of these names. Left out: in all.
     *
     * @minItems 1
     */
    environments?: string[]
  }[]
}

/**
 * The config repository itself: its stable id and the defaults of all projects. One file, `draven.yaml`.
 */
export interface ConfigRepositoryDocument {
  /**
   * Where an editor finds this schema. The controller does not read it.
   */
  $schema?: string
  /**
   * Version of the format of this file.
   */
  apiVersion: 'draven/v1'
  /**
   * What this file describes.
   */
  kind: 'ConfigRepository'
  /**
   * Never change it: job ids are derived from it. Renaming or moving the Git repository does not touch it.
   */
  id: string
  /**
   * Shown on top of the status page. When left out: the id.
   */
  title?: string
  /**
   * How long jobs may wait.
   */
  defaults?: {
    /**
     * Hours after which a job that still waits for approval expires.
     */
    approval_expiry_hours?: number
    /**
     * Hours after which a job that waits for anything else (lock, window, CI) expires.
     */
    queue_expiry_hours?: number
  }
}

/**
 * A request to change what runs in one environment. `requests/<project>/<environment>/<name>.yaml`; one file per request, never reused.
 */
export interface DeployRequestDocument {
  /**
   * Where an editor finds this schema. The controller does not read it.
   */
  $schema?: string
  /**
   * Version of the format of this file.
   */
  apiVersion: 'draven/v1'
  /**
   * What this file describes.
   */
  kind: 'DeployRequest'
  /**
   * `deploy` runs a ref; `rollback` goes back to an earlier success; `dry_run` starts the pipeline in its trial mode and takes no lock.
   */
  type: 'deploy' | 'rollback' | 'dry_run'
  /**
   * What to run: exactly one of branch, tag or sha. Only a rollback may leave it out and then goes to the last success before the present one. After a failed deploy the present one is what succeeded last: name that to get it again.
   */
  ref?: {
    /**
     * Name of a branch.
     */
    branch?: string
    /**
     * Name of a tag.
     */
    tag?: string
    /**
     * Full commit id. Short ids are refused: a branch may be named like one.
     */
    sha?: string
  }
  /**
   * Why this is done, for reviewers and auditors.
   */
  reason: string
  /**
   * Skips named gates. Needs a policy that allows it and an admin; approvals can never be skipped.
   */
  force?: {
    /**
     * Gates to skip.
     *
     * @minItems 1
     */
    skip: ('order' | 'ci' | 'window' | 'freeze')[]
    /**
     * Why the gates must be skipped.
     */
    reason: string
  }
  /**
   * Need not be given; when it is, it must be the project of the path.
   */
  project?: string
  /**
   * Need not be given; when it is, it must be the environment of the path.
   */
  environment?: string
}

/**
 * A place that a project is deployed to. `projects/<project>/environments/<name>.yaml`.
 */
export interface EnvironmentDocument {
  /**
   * Where an editor finds this schema. The controller does not read it.
   */
  $schema?: string
  /**
   * Version of the format of this file.
   */
  apiVersion: 'draven/v1'
  /**
   * What this file describes.
   */
  kind: 'Environment'
  /**
   * Name of the policy that rules here: the file name in `policies/`.
   */
  policy: string
  /**
   * Whether jobs may run here at all.
   */
  enabled: boolean
  /**
   * `exclusive`: one job at a time. `none`: jobs may overlap.
   */
  lock_strategy?: 'none' | 'exclusive'
  /**
   * Minutes after which a run that is still alive is canceled and its job fails.
   */
  max_run_minutes?: number
  /**
   * Environment of the same project in which the same commit must have succeeded first.
   */
  promote_from?: string
  /**
   * Where the deployed application is found.
   */
  url?: string
}

/**
 * A planned time in which no job may start. `freezes/<name>.yaml`.
 */
export interface FreezeDocument {
  /**
   * Where an editor finds this schema. The controller does not read it.
   */
  $schema?: string
  /**
   * Version of the format of this file.
   */
  apiVersion: 'draven/v1'
  /**
   * What this file describes.
   */
  kind: 'Freeze'
  /**
   * Shown to everybody who waits.
   */
  reason: string
  /**
   * Local time at which the freeze begins.
   */
  from: string
  /**
   * Local time at which the freeze ends.
   */
  to: string
  /**
   * IANA time zone in which the local times are meant: `Area/City` or `UTC`. Abbreviations such as `EST` are refused: they ignore summer time.
   */
  tz: string
  /**
   * Only these projects. Left out: all.
   *
   * @minItems 1
   */
  projects?: string[]
  /**
   * Only environments of these names. Left out: all.
   *
   * @minItems 1
   */
  environments?: string[]
}

/**
 * A human stop: no job may start until this file is deleted, or until a given time. `holds/<name>.yaml`.
 */
export interface HoldDocument {
  /**
   * Where an editor finds this schema. The controller does not read it.
   */
  $schema?: string
  /**
   * Version of the format of this file.
   */
  apiVersion: 'draven/v1'
  /**
   * What this file describes.
   */
  kind: 'Hold'
  /**
   * Shown to everybody who waits.
   */
  reason: string
  /**
   * Only these projects. Left out: all.
   *
   * @minItems 1
   */
  projects?: string[]
  /**
   * Only environments of these names. Left out: all.
   *
   * @minItems 1
   */
  environments?: string[]
  /**
   * Local time at which the hold ends by itself. Left out: when the file is deleted.
   */
  until?: string
  /**
   * IANA time zone in which the local times are meant: `Area/City` or `UTC`. Abbreviations such as `EST` are refused: they ignore summer time.
   */
  tz?: string
}

/**
 * What may go to the environments that use this policy, and when. `policies/<name>.yaml`. What is not allowed here is refused.
 */
export interface PolicyDocument {
  /**
   * Where an editor finds this schema. The controller does not read it.
   */
  $schema?: string
  /**
   * Version of the format of this file.
   */
  apiVersion: 'draven/v1'
  /**
   * What this file describes.
   */
  kind: 'Policy'
  /**
   * Which kinds of Git ref a request may name.
   *
   * @minItems 1
   */
  allowed_ref_types: ('branch' | 'tag' | 'sha')[]
  /**
   * Patterns for branch names. A pattern must match the whole name, so `^` and `$` are not needed. Required when branches are allowed.
   *
   * @minItems 1
   */
  allowed_branches?: string[]
  /**
   * Patterns for tag names. A pattern must match the whole name. Required when tags are allowed.
   *
   * @minItems 1
   */
  allowed_tags?: string[]
  /**
   * Whether people must approve a request before it runs.
   */
  require_approval: boolean
  /**
   * How many people other than the authors must approve. Required when approval is.
   */
  approvals_required?: number
  /**
   * Whether the checks listed in the project must be successful on exactly the commit that would run.
   */
  require_ci_success: boolean
  /**
   * Whether requests of type rollback are allowed.
   */
  allow_rollback: boolean
  /**
   * Whether an admin may skip the order, CI, window or freeze gate with a reason. Approvals can never be skipped.
   */
  allow_force_deploy: boolean
  /**
   * Local times in which jobs may start. Left out: at any time.
   */
  restrict_deploy_window?: {
    /**
     * IANA time zone in which the local times are meant: `Area/City` or `UTC`. Abbreviations such as `EST` are refused: they ignore summer time.
     */
    tz: string
    /**
     * Weekdays on which the window opens.
     *
     * @minItems 1
     */
    days: ('Mon' | 'Tue' | 'Wed' | 'Thu' | 'Fri' | 'Sat' | 'Sun')[]
    /**
     * Local time at which the window opens.
     */
    from: string
    /**
     * Local time at which the window closes. At or before `from` it means the next day; the night belongs to the day on which it begins.
     */
    to: string
  }
  /**
   * Hours after which an approval no longer counts.
   */
  approval_valid_hours?: number
  /**
   * Whether a rollback may go to a commit that never succeeded in the environment.
   */
  rollback_to_any_commit?: boolean
  /**
   * Whether a rollback may start while the window is closed.
   */
  rollback_ignores_window?: boolean
}

/**
 * A project: what it is, who owns it and how its pipelines are started. `projects/<name>/project.yaml`.
 */
export interface ProjectDocument {
  /**
   * Where an editor finds this schema. The controller does not read it.
   */
  $schema?: string
  /**
   * Version of the format of this file.
   */
  apiVersion: 'draven/v1'
  /**
   * What this file describes.
   */
  kind: 'Project'
  /**
   * Need not be given; when it is, it must be the name of the folder.
   */
  name?: string
  /**
   * What the project is, for the status page.
   */
  description: string
  /**
   * Whether requests for this project may run at all.
   */
  active: boolean
  /**
   * Team or person to ask.
   */
  owner: string
  /**
   * Connection to the system that runs the pipelines.
   */
  integration: {
    /**
     * System that holds the code and runs the pipelines.
     */
    provider: 'github' | 'gitlab' | 'bitbucket' | 'gitea' | 'forgejo' | 'jenkins' | 'http' | 'local'
    /**
     * Root of the provider's API, when it is not the vendor's own. Its host must be on the controller's allow list.
     */
    api_url?: string
    /**
     * Full name of the code repository at the provider.
     */
    repo_full_name: string
    /**
     * Branch whose pipeline definition runs, and from which `sha` refs must be reachable.
     */
    default_branch: string
    /**
     * Which pipeline deploys to which environment.
     */
    pipelines: {
      /**
       * Workflow file, job or command name; or that and the ref whose definition runs.
       */
      [k: string]:
        | string
        | {
            /**
             * Workflow file, job or command name; on GitLab `variables` or `inputs`.
             */
            selector: string
            /**
             * Branch or tag whose pipeline definition runs. Left out: the default branch.
             */
            workflow_ref?: string
          }
    }
    /**
     * Name under which the controller finds the provider's credential. Never the secret itself.
     */
    credential_ref?: string
    /**
     * Name under which the controller finds the secret of webhooks at `/webhooks/<project>`. Without it that address does not exist; polling still works.
     */
    webhook_secret_ref?: string
    /**
     * Whether the pipeline is told CALLBACK_URL and CALLBACK_TOKEN besides, so that it can ask before it acts and tell what it does. Declare both where the provider refuses what is not declared. Left out: it is not.
     */
    callbacks?: boolean
    /**
     * Where `repo_full_name` is, when the provider runs pipelines and holds no code.
     */
    code?: {
      /**
       * System that holds the code.
       */
      provider: 'github' | 'gitlab' | 'bitbucket' | 'gitea' | 'forgejo' | 'local'
      /**
       * Root of its API, when it is not the vendor's own. Its host must be on the controller's allow list.
       */
      api_url?: string
      /**
       * Name under which the controller finds its credential. Left out: the controller's own for that provider.
       */
      credential_ref?: string
    }
  }
  /**
   * Which CI results count as proof that a commit is good.
   */
  ci?: {
    /**
     * Names of the checks that must all be successful.
     */
    required_checks?: string[]
    /**
     * App slugs whose results are believed. Anyone who can push can post a bare commit status. Left out: the forge's own CI (`github-actions`, `gitlab-ci`, `bitbucket-pipelines`, `gitea-actions`, `forgejo-actions`). On Gitea and Forgejo also the login of the account that posts.
     *
     * @minItems 1
     */
    apps?: string[]
  }
}

/** The document of each kind. */
export interface DocumentByKind {
  Access: AccessDocument
  ConfigRepository: ConfigRepositoryDocument
  DeployRequest: DeployRequestDocument
  Environment: EnvironmentDocument
  Freeze: FreezeDocument
  Hold: HoldDocument
  Policy: PolicyDocument
  Project: ProjectDocument
}

export type Kind = keyof DocumentByKind
