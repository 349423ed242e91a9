/** A workflow that is started by dispatch: GitHub and Gitea write it in the same words. */
export function dispatchedWorkflow(script: readonly string[]): string {
  return `name: Deploy
run-name: Deploy \${{ inputs.REF }} to \${{ inputs.ENV }} (\${{ inputs.JOB_ID }})
on:
  workflow_dispatch:
    inputs:
      JOB_ID: { required: true }
      ENV: { required: true }
      REF: { required: true }
      TYPE: { required: true }
      SHA: { required: true }
jobs:
  deploy:
    steps:
      - name: Roll out and ask the new version how it does
        env:
          ENV: \${{ inputs.ENV }}
          SHA: \${{ inputs.SHA }}
        run: |
${script.map((line) => `          ${line}\n`).join('')}`
}
