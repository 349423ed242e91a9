import { page } from './layout.ts'
import { html, type Markup } from './markup.ts'

export const ERROR_PAGES = {
  400: { heading: 'This address asks for something odd', text: 'A filter or page number in the address is not one we know.' },
  404: {
    heading: 'Nothing here',
    text: 'No page, job or environment has this address. It may have been deleted, or the address was cut.',
  },
  405: { heading: 'Only reading here', text: 'Changes are made by pull requests to the config repository, never on this page.' },
  421: { heading: 'Wrong address', text: 'This controller is not served under the host name in the address.' },
  500: {
    heading: 'Something broke on our side',
    text: 'The page could not be made. The log of the controller says why; reloading may help.',
  },
} as const

export type ErrorStatus = keyof typeof ERROR_PAGES

export function errorPage(status: ErrorStatus, detail: string | null): Markup {
  const { heading, text } = ERROR_PAGES[status]
  const body = html`<div class="message"><p class="message-code">${status}</p><h1>${heading}</h1><p>${detail ?? text}</p><p><a href="/">Back to the matrix</a></p></div>`
  return page({ frame: null, heading, section: '', refresh: false, body })
}
