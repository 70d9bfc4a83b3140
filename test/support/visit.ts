// A person's browser as far as a test needs it: follows where Twitch sends it, and reads the page.
import type { AuthorizationLink, AuthorizationView } from '../../src/protocol/rest-authorizations.ts';
import type { Service, World } from './world.ts';

export interface Visited {
  readonly status: number;
  readonly text: string;
  /** Where it ended: the relay's own page, with what Twitch put into its address. */
  readonly url: URL;
  readonly headers: Headers;
}

export async function visit(url: string | URL): Promise<Visited> {
  const response = await fetch(url);
  return {
    status: response.status,
    text: await response.text(),
    url: new URL(response.url),
    headers: response.headers,
  };
}

/** A new link, for the admin or for a service. */
export async function startLink(
  world: World,
  body: object = {},
  as: Service | 'admin' = 'admin',
): Promise<AuthorizationLink> {
  const path = as === 'admin' ? '/v1/admin/bots/authorize' : '/v1/broadcaster-authorizations/start';
  const answer = await world.call<AuthorizationLink>('POST', path, { as, body });
  if (answer.status !== 201) throw new Error(`link: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

export async function authorization(world: World, id: string, wait = 0): Promise<AuthorizationView> {
  const path = `/v1/admin/authorizations/${id}?wait=${wait}`;
  return (await world.call<AuthorizationView>('GET', path, { as: 'admin' })).body;
}
