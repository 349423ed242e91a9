import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ROLES, type RoleBinding } from '../../controller/model/desired-state.ts'
import { personId } from '../../controller/model/names.ts'
import { ALL_PERMISSIONS, may, PERMISSIONS, personOf, rolesOf } from '../../controller/model/roles.ts'
import { EXAMPLE_CONFIG, load, readDirectory } from './snapshot-directory.ts'

const desired = await load(readDirectory(EXAMPLE_CONFIG))
const [alice, carla, dana, emil, greta] = ['alice', 'carla', 'dana', 'emil', 'greta'].map(personId)

describe('an account belongs to', () => {
  test.each([
    ['its person', { provider: 'github', login: 'boblq', id: '7' }, 'bob'],
    ['its person in any case of letters', { provider: 'github', login: 'BobLQ', id: '7' }, 'bob'],
    ['its person when the id is the given one', { provider: 'github', login: 'arossi', id: '583231' }, 'alice'],
    ['nobody when the login was registered again by a stranger', { provider: 'github', login: 'arossi', id: '999' }, null],
    ['nobody when the id is asked for and not known', { provider: 'github', login: 'arossi', id: null }, null],
    ['nobody at another host', { provider: 'gitlab', login: 'boblq', id: '7' }, null],
    ['nobody when no person lists it', { provider: 'github', login: 'mallory', id: '1' }, null],
  ])('%s', (_, account, owner) => {
    expect(personOf(desired, account)).toBe(owner)
  })
})

describe('roles', () => {
  test('come from people and groups, within their projects and environments', () => {
    expect(rolesOf(desired, carla!, 'shop', 'stage')).toEqual(new Set(['operator', 'approver']))
    expect(rolesOf(desired, carla!, 'shop', 'prod')).toEqual(new Set(['operator']))
    expect(rolesOf(desired, carla!, 'warehouse-sync', 'prod')).toEqual(new Set())
    expect(rolesOf(desired, emil!, 'shop', 'prod')).toEqual(new Set(['approver']))
  })

  test('do not include each other: who requests does not approve, who approves does not request', () => {
    const shopProd = { project: 'shop', environment: 'prod' }
    expect([may(desired, dana!, 'request', shopProd), may(desired, dana!, 'approve', shopProd)]).toEqual([true, false])
    expect([may(desired, emil!, 'request', shopProd), may(desired, emil!, 'approve', shopProd)]).toEqual([false, true])
    expect(ALL_PERMISSIONS.filter((permission) => may(desired, greta!, permission, shopProd))).toEqual(['view'])
    expect(ALL_PERMISSIONS.filter((permission) => may(desired, alice!, permission, shopProd))).toEqual([...ALL_PERMISSIONS])
  })

  test('without a scope count only when they hold everywhere', () => {
    expect(may(desired, alice!, 'change_rules', null)).toBe(true)
    expect(may(desired, carla!, 'request', null)).toBe(false)
    expect(may(desired, emil!, 'approve', null)).toBe(true)
  })

  test('are nobody’s without a person', () => {
    expect(may(desired, null, 'view', null)).toBe(false)
    expect(may(desired, personId('mallory'), 'view', null)).toBe(false)
    expect(may({ people: new Map(), bindings: desired.bindings }, alice!, 'view', null)).toBe(false)
  })

  test('never allow what no binding of that person and place grants', () => {
    const some = fc.option(fc.subarray(['shop', 'billing']), { nil: null })
    const binding: fc.Arbitrary<RoleBinding> = fc.record({
      role: fc.constantFrom(...ROLES),
      people: fc.subarray([alice!, carla!]),
      projects: some,
      environments: some,
    })
    fc.assert(
      fc.property(fc.array(binding, { maxLength: 4 }), fc.constantFrom(...ALL_PERMISSIONS), (bindings, permission) => {
        const granted = may({ people: desired.people, bindings }, alice!, permission, { project: 'shop', environment: 'billing' })
        const expected = bindings.some(
          (one) =>
            one.people.includes(alice!) &&
            PERMISSIONS[one.role].includes(permission) &&
            (one.projects ?? ['shop']).includes('shop') &&
            (one.environments ?? ['billing']).includes('billing'),
        )
        return granted === expected
      }),
    )
  })
})
