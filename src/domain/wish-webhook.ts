// Whether the transport of a wish makes sense, and the one spelling of its URL. Pure; whether a URL may be called at all
// is for whoever calls it to judge.
import type { FieldError } from './errors.ts';
import type { Wish, WishRefusal } from './wish.ts';

const expected = 'an http or https URL without user name and password';
/** In the spelling that is kept, which may be longer than what was written: the database's index takes no more. */
const maxUrlLength = 2048;

/** Undefined when the wish can be served over its transport. */
export function webhookRefusal(wish: Pick<Wish, 'transport' | 'webhookUrl'>): WishRefusal | undefined {
  const given = wish.webhookUrl !== null && wish.webhookUrl !== '';
  if (wish.transport === 'webhook') return refusal(urlFault(wish.webhookUrl));
  return refusal(given ? 'webhook_url goes with transport "webhook" only; leave it out' : undefined);
}

/**
 * The URL in the URL standard's own spelling and without its fragment, which no request carries: different spellings of
 * one address mean one endpoint. For a text that `webhookRefusal` let pass.
 */
export function webhookUrlOf(text: string): string {
  const url = new URL(text);
  url.hash = '';
  return url.href;
}

/** What is wrong with the URL. Never repeats a URL: it may carry a password, or a secret in its path. */
function urlFault(text: string | null): string | undefined {
  if (text === null || text === '') return `webhook_url is required with transport "webhook": ${expected}`;
  if (!URL.canParse(text)) return `webhook_url is not a URL: expected ${expected}`;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    return `webhook_url carries a user name or password: expected ${expected}`;
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    return `webhook_url has the scheme "${url.protocol.slice(0, -1)}": expected ${expected}`;
  }
  const { length } = webhookUrlOf(text);
  if (length <= maxUrlLength) return undefined;
  return `webhook_url is ${length} characters long once it is encoded: expected at most ${maxUrlLength}`;
}

function refusal(message: string | undefined): WishRefusal | undefined {
  if (message === undefined) return undefined;
  const errors: FieldError[] = [{ path: 'webhook_url', message }];
  return { status: 422, code: 'validation', message, errors };
}
