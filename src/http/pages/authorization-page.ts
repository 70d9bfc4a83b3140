// What a person reads who comes back from Twitch: what happened, to which account, and what to do now. Pure. Shows names
// and reasons, never what was in the address.
import type { AuthorizationEnd } from '../port-accounts.ts';
import { html, type Html } from './html.ts';
import { renderPage } from './page.ts';

export interface AuthorizationPage {
  readonly status: 200 | 400 | 403 | 409 | 500 | 503;
  readonly html: string;
}

type Refused = Extract<AuthorizationEnd, { kind: 'refused' }>;
type Completed = Extract<AuthorizationEnd, { kind: 'completed' }>;

interface Refusal {
  readonly status: AuthorizationPage['status'];
  readonly title: string;
  readonly next: string;
}

const newLink =
  'Ask for a new link: POST /v1/admin/bots/authorize, or whoever sent you this one. A link works once, for ten minutes.';
const again = 'Ask for a new link and try again; nothing was changed.';

const refusals: Readonly<Record<string, Refusal>> = {
  state_missing: { status: 400, title: 'This is not a link of the relay', next: newLink },
  state_unknown: { status: 400, title: 'The relay does not know this link', next: newLink },
  state_used: {
    status: 400,
    title: 'This link was used already',
    next: `If you only loaded the page again, all is well: the first time counts, and you can close it. ${newLink}`,
  },
  state_expired: { status: 400, title: 'This link is too old', next: newLink },
  access_denied: {
    status: 403,
    title: 'Twitch was told no',
    next: 'If that was a mistake, ask for a new link and say yes; otherwise there is nothing to do.',
  },
  wrong_user: {
    status: 409,
    title: 'That was another account',
    next: 'Sign out of Twitch, or use a private window, and open a new link as the account that is asked for.',
  },
  missing_scopes: {
    status: 403,
    title: 'Less was allowed than is needed',
    next: 'Ask for a new link and allow all of it, or for a link that asks for less. Nothing was changed.',
  },
  narrower_grant: {
    status: 409,
    title: 'This would have taken something away',
    next: 'Ask for a link that renews this very bot: POST /v1/admin/bots/authorize with its bot_account_id.',
  },
  unknown_bot: { status: 409, title: 'The bot is gone', next: 'Ask for a new link, without bot_account_id.' },
  authorization_refused: {
    status: 400,
    title: 'Twitch did not ask you',
    next:
      'Whoever runs the relay: see whether PUBLIC_URL with /oauth/callback is among the redirect URLs of the Twitch ' +
      'application, and whether Twitch knows the scopes. Then ask for a new link.',
  },
  code_invalid: { status: 400, title: 'Twitch did not accept its own answer', next: again },
  wrong_client: {
    status: 409,
    title: 'That was another application',
    next: 'Whoever runs the relay: TWITCH_CLIENT_ID and TWITCH_CLIENT_SECRET must be of one application.',
  },
  name_taken: {
    status: 409,
    title: 'Another bot has this name',
    next: 'Ask for a new link with another name.',
  },
  twitch_unreachable: { status: 503, title: 'Twitch cannot be reached', next: again },
  database_unavailable: { status: 503, title: 'The relay cannot reach its database', next: again },
  internal_error: {
    status: 500,
    title: 'Something is wrong with the relay',
    next: 'Its log says what, under the number below.',
  },
};
const otherRefusal: Refusal = { status: 400, title: 'That did not work', next: again };

export function authorizationPage(end: AuthorizationEnd): AuthorizationPage {
  return end.kind === 'completed' ? completedPage(end) : refusedPage(end);
}

function completedPage(end: Completed): AuthorizationPage {
  const { botName, twitchLogin, renewed, scopes, for: kind } = end;
  const title = renewed ? `${botName} is connected again` : `${botName} is connected`;
  const named = botName === twitchLogin ? html`` : html` It is called <strong>${botName}</strong> here.`;
  const replaced = renewed
    ? html`<p>Its tokens were replaced. What waited for them goes on by itself.</p>`
    : html``;
  const next =
    kind === 'broadcaster'
      ? 'You can close this page. Whoever sent you the link can go on now. You can take the permission back at any time in the settings of Twitch, under Connections.'
      : 'You can close this page. Services may ask for events with this bot now.';
  const body = html`<p>The relay may act as the Twitch account <strong>${twitchLogin}</strong>.${named}</p>
    ${replaced}
    <h2>What it was allowed</h2>
    ${listOf(scopes)}
    <h2>What now</h2>
    <p>${next}</p>`;
  return { status: 200, html: renderPage({ title, mood: 'good', body }) };
}

const listOf = (scopes: readonly string[]): Html =>
  scopes.length === 0
    ? html`<p>Nothing beyond knowing who you are.</p>`
    : html`<ul>
        ${scopes.map((scope) => html`<li><code>${scope}</code></li>`)}
      </ul>`;

function refusedPage({ code, reason }: Refused): AuthorizationPage {
  const { status, title, next } = Object.hasOwn(refusals, code)
    ? (refusals[code] ?? otherRefusal)
    : otherRefusal;
  const body = html`<p>${reason}</p>
    <h2>What now</h2>
    <p>${next}</p>
    <p class="soft"><code>${code}</code></p>`;
  return { status, html: renderPage({ title, mood: 'bad', body }) };
}
