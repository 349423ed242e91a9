import { TransientFault } from '../errors.ts'

/** What Prisma passes on of trouble that ends by itself or by a person's hand outside; words of SQLite, PostgreSQL and Linux. */
const TROUBLES: readonly { fits: RegExp; says: string }[] = [
  { fits: /database or disk is full|no space left on device/i, says: 'the disk of the database is full' },
  {
    fits: /readonly database|read-only file system/i,
    says: 'the database can only be read: its disk or file is write-protected',
  },
]

/** Trouble outside as such, with a sentence for a person; every other error unchanged. */
export function asOperatingFault(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  // P1008 is Prisma's word for "the adapter says that the database did not answer in time".
  if ('code' in error && error.code === 'P1008')
    return new TransientFault('the database is locked by another process', 0, { cause: error })
  const trouble = TROUBLES.find(({ fits }) => fits.test(error.message))
  return trouble === undefined ? error : new TransientFault(trouble.says, 0, { cause: error })
}
