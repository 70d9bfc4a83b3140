// Whether the transport of a wish makes sense. Pure; whether a URL may be called at all is for whoever calls it to judge.
import type { FieldError } from './errors.ts';
import type { Wish, WishRefusal } from './wish.ts';

const expected = 'an http or https URL without user name and password';

/** Undefined when the wish can be served over its transport. */
export function webhookRefusal(wish: Pick<Wish, 'transport' | 'webhookUrl'>): WishRefusal | undefined {
  if (wish.transport === 'websocket') {
    if (wish.webhookUrl === null || wish.webhookUrl === '') return undefined;
    return refusal(
      'validation',
      'webhook_url',
      'webhook_url goes with transport "webhook" only; leave it out',
    );
  }
  const fault = urlFault(wish.webhookUrl);
  if (fault !== undefined) return refusal('validation', 'webhook_url', fault);
  const message = 'webhook delivery is not part of this version of the relay; use transport "websocket"';
  return refusal('transport_unavailable', 'transport', message);
}

/** What is wrong with the URL. Never repeats a URL that carries a password. */
function urlFault(text: string | null): string | undefined {
  if (text === null || text === '') return `webhook_url is required with transport "webhook": ${expected}`;
  if (!URL.canParse(text)) return `webhook_url is not a URL: expected ${expected}`;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    return `webhook_url carries a user name or password: expected ${expected}`;
  }
  if (url.protocol === 'http:' || url.protocol === 'https:') return undefined;
  return `webhook_url has the scheme "${url.protocol.slice(0, -1)}": expected ${expected}`;
}

function refusal(code: string, path: string, message: string): WishRefusal {
  const errors: FieldError[] = [{ path, message }];
  return { status: 422, code, message, errors };
}
