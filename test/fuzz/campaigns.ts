import { callbacks } from './callbacks.ts'
import type { Campaign } from './campaign.ts'
import { http } from './http.ts'
import { patterns } from './patterns.ts'
import { refs } from './refs.ts'
import { webhooks } from './webhooks.ts'
import { windows } from './windows.ts'
import { yaml } from './yaml.ts'

// Each knows the type of its own input; who runs them has no need to.
export const CAMPAIGNS = [yaml, ...webhooks, callbacks, refs, patterns, windows, http] as unknown as readonly Campaign[]
