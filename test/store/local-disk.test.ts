import { expect, test } from 'vitest'
import { refuseNetworkDisk } from '../../controller/store/local-disk.ts'

test.each([
  [0x6969, 'NFS'],
  [0xff534d42, 'CIFS'],
  [0x65735546, 'FUSE'],
  [0x01021997, '9P'],
])('a database on a network file system (%i) is refused by its name', (type, name) => {
  expect(() => refuseNetworkDisk('/data/draven.db', () => type)).toThrow(`network file system (${name}`)
})

test.each([
  ['ext4', 0xef53],
  ['xfs', 0x58465342],
  ['btrfs', 0x9123683e],
  ['tmpfs', 0x01021994],
  ['overlay', 0x794c7630],
])('a database on %s is fine', (_, type) => {
  expect(() => refuseNetworkDisk('/data/draven.db', () => type)).not.toThrow()
})

test('the file system is asked about the folder of the file', () => {
  const asked: string[] = []
  refuseNetworkDisk('/data/draven.db', (directory) => asked.push(directory))
  expect(asked).toEqual(['/data'])
})
