import { statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { ConfigFault } from '../errors.ts'

/**
 * File systems whose locks or shared memory reach no other machine, or not reliably (statfs(2) `f_type`). Two controllers could
 * both believe that such a file is theirs alone, and SQLite's log needs memory shared by all who have it open
 * (https://www.sqlite.org/wal.html, https://www.sqlite.org/howtocorrupt.html).
 */
const NETWORK_FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xff534d42, 'CIFS'],
  [0xfe534d42, 'SMB 2'],
  [0x65735546, 'FUSE (sshfs, s3fs, virtiofs and the like)'],
  [0x01021997, '9P'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x73757245, 'Coda'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
  [0x7461636f, 'OCFS2'],
  [0x01161970, 'GFS2'],
  [0x564c, 'NCP'],
])

/**
 * Refuses a place where SQLite cannot keep its word. There is no setting against it: what would be lost is what was acknowledged.
 * @throws ConfigFault with the file system's name
 */
export function refuseNetworkDisk(file: string, typeOf: (directory: string) => number = fileSystemType): void {
  const name = NETWORK_FILE_SYSTEMS.get(typeOf(dirname(file)))
  if (name === undefined) return
  throw new ConfigFault(
    `${file} lies on a network file system (${name}), where a database file is not safe`,
    'Put DRAVEN_DATA_DIR on a disk of this machine.',
  )
}

function fileSystemType(directory: string): number {
  // Some platforms give the 32 bits as a negative number.
  return statfsSync(directory).type >>> 0
}
