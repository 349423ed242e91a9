/** An answer that says no. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly status: number
  readonly said: unknown
  constructor(status: number, said: unknown) {
    super(JSON.stringify(said))
    this.status = status
    this.said = said
  }
}
