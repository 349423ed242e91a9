import { RefusedFault, TransientFault } from '../errors.ts'

/** Git's English complaints that retrying cannot cure, with the sentence that can. First match wins. */
const REFUSALS: readonly { pattern: RegExp; status: number | null; fix: string }[] = [
  {
    pattern: /returned error: 30[1278]|redirect/i,
    status: null,
    fix: 'The server redirects, and redirects are not followed because they would carry the credential along. Write the final address.',
  },
  {
    pattern: /returned error: 403/,
    status: 403,
    fix: 'The credential is not allowed to read the repository. Give it read access to the contents.',
  },
  {
    pattern: /Authentication failed|could not read (Username|Password)|returned error: 401|Invalid username or (password|token)/i,
    status: 401,
    fix: 'The credential is missing, wrong or expired. Renew it.',
  },
  {
    pattern: /Host key verification failed/i,
    status: null,
    fix: "The server's ssh key is not known. Add it to the known_hosts file that DRAVEN_GIT_SSH_COMMAND names.",
  },
  {
    pattern: /Permission denied \(/i,
    status: 401,
    fix: 'The ssh key was refused. Add it to the repository as a read-only deploy key, and name it in DRAVEN_GIT_SSH_COMMAND.',
  },
  {
    pattern:
      /returned error: 404|repository '.*' not found|Repository not found|does not appear to be a git repository|not a git repository/i,
    status: 404,
    fix: 'No repository answers at this address for this credential. Check the address and the access.',
  },
  {
    pattern: /dubious ownership/i,
    status: null,
    fix: 'The repository belongs to another user of this machine. Run the controller as its owner, or read it over https or ssh.',
  },
  {
    pattern: /transport '.*' not allowed/i,
    status: null,
    fix: 'Only https and ssh are read. Write the address with one of them.',
  },
  {
    pattern: /SSL certificate|certificate verif|self.signed certificate/i,
    status: null,
    fix: "The server's certificate is not trusted by this machine. Install the authority that signed it.",
  },
  {
    pattern: /fsck error|error: object [0-9a-f]+:|mismatched algorithms/i,
    status: null,
    fix: 'The repository holds an object that Git calls malformed or cannot read. Run git fsck in it and rewrite the commit.',
  },
]

/**
 * What a failed conversation with the remote means: RefusedFault when a person must act, else TransientFault,
 * because an unknown complaint costs one more try, and a wrong "for good" costs a night.
 * `complaint` must already be free of secrets.
 */
export function remoteFault(url: string, complaint: string): RefusedFault | TransientFault {
  const refusal = REFUSALS.find(({ pattern }) => pattern.test(complaint))
  const heard = lastLines(complaint)
  if (refusal) return new RefusedFault(`${url} was refused. ${refusal.fix} Git said: ${heard}`, refusal.status)
  return new TransientFault(`${url} could not be reached. Git said: ${heard}`)
}

/** Git's own last words, without control characters (a remote may send any) and short enough for a log line. */
export function lastLines(complaint: string): string {
  const lines = complaint.split(/[\r\n]+/).filter((line) => line.trim() !== '')
  const text = lines.slice(-2).join(' / ')
  return text.replace(/[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/g, '').slice(0, 300) || 'nothing'
}
