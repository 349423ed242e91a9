/** GET of a forge's API; anything but a 2xx is an error. */
export async function readJson<T>(url: string, headers: Readonly<Record<string, string>>): Promise<T> {
  const answer = await fetch(url, { headers })
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`)
  return (await answer.json()) as T
}
