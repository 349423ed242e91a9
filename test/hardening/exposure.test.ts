import { describe, expect, it } from 'vitest'
import { systemClock } from '../../controller/clock.ts'
import { silentLogger } from '../../controller/log.ts'
import { readSettings } from '../../controller/settings.ts'
import { createMetrics } from '../../controller/status-page/metrics.ts'
import { statusApp } from '../../controller/status-page/status-app.ts'
import { callbackApp } from '../../controller/webhooks/callbacks.ts'
import { emptyWorld, liveOf, viewsOf } from '../status-page/fixture.ts'
import { intake } from '../webhooks/intake.ts'
import { target } from './raw-http.ts'

/** Headers by which proxies speak of somebody else: who asks, from where, for which host, by which method. */
const FORGED: Readonly<Record<string, string>> = {
  'X-Forwarded-For': '127.0.0.1',
  'X-Forwarded-Host': 'draven.example',
  'X-Forwarded-Proto': 'https',
  'X-Forwarded-User': 'admin',
  'X-Real-IP': '127.0.0.1',
  'X-Remote-User': 'admin',
  'X-WebAuth-User': 'admin',
  'X-Auth-Request-Email': 'admin@draven.example',
  Forwarded: 'for=127.0.0.1;host=draven.example;proto=https',
  'X-Original-URL': '/metrics',
  'X-Rewrite-URL': '/metrics',
  'X-HTTP-Method-Override': 'DELETE',
  Authorization: 'Basic YWRtaW46YWRtaW4=',
  Cookie: 'session=admin',
}

describe('what strangers reach', () => {
  it('is this list of routes, none of which sets anything up or hands out a key', () => {
    const pages = statusApp({
      views: viewsOf(emptyWorld()),
      live: liveOf(emptyWorld()),
      clock: systemClock(),
      title: 'DRAVEN',
      allowedHosts: null,
      metrics: createMetrics(),
    })
    const callbacks = callbackApp({ answer: async () => ({ kind: 'unknown' }), log: silentLogger })
    const routes = [...intake().app.routes, ...callbacks.routes, ...pages.routes]
      .filter(({ path, method }) => path !== '/*' || method !== 'ALL')
      .map(({ method, path }) => `${method} ${path}`)
    expect([...new Set(routes)].toSorted()).toEqual([
      'GET /',
      'GET /api/v1/audit',
      'GET /api/v1/environments/:project/:environment',
      'GET /api/v1/findings',
      'GET /api/v1/jobs',
      'GET /api/v1/jobs/:id',
      'GET /api/v1/matrix',
      'GET /api/v1/system',
      'GET /assets/icon.svg',
      'GET /assets/style.css',
      'GET /audit',
      'GET /config',
      'GET /jobs',
      'GET /jobs/:id',
      'GET /livez',
      'GET /metrics',
      'GET /projects/:project/:environment',
      'GET /readyz',
      'GET /system',
      'GET /version',
      'POST /callbacks/jobs/:id',
      'POST /webhooks/:integration',
    ])
  })

  it('is on this machine only, unless the operator says where else to listen', () => {
    expect(readSettings({ DRAVEN_CONFIG_DIR: '/x' }).listen).toEqual({ host: '127.0.0.1', port: 8080 })
  })

  it.each(Object.entries(FORGED))('does not change for a forged %s', async (name, value) => {
    const { url } = await target()
    for (const path of ['/', '/api/v1/findings', '/nowhere', '/webhooks/forge']) {
      const told = async (headers: Record<string, string>) => {
        const answer = await fetch(url + path, { headers })
        // The moment of the answer is the only thing that may differ.
        return { status: answer.status, text: (await answer.text()).replaceAll(/\d\d:\d\d:\d\d(?:\.\d+)?/g, '') }
      }
      expect(await told({ [name]: value }), path).toEqual(await told({}))
    }
  })
})
