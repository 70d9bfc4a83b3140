// Whether a grant that a user has given is what was asked for, and may be stored. Pure; one rule per way in which it may
// not, first match wins.
import type { GrantedBot } from '../authorization-port.ts';
import type { TokenFacts } from './oauth.ts';

export interface GrantInput {
  readonly kind: 'browser' | 'device' | 'broadcaster';
  readonly clientId: string;
  /** What the user was asked for. */
  readonly asked: readonly string[];
  readonly facts: TokenFacts;
  /** The one bot whose grant was to be renewed; `gone` when it is no more, null for anybody's. */
  readonly only: GrantedBot | 'gone' | null;
  /** The bot of this Twitch user. */
  readonly known: GrantedBot | undefined;
}

export type GrantVerdict =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly code: string;
      readonly reason: string;
      /** Nobody needs the token: it is given back. Never for a user whose bot works, lest that suffers. */
      readonly revoke: boolean;
    };

interface Rule {
  readonly code: string;
  /** What is wrong and what to do about it; undefined when nothing is. */
  readonly reason: (input: GrantInput) => string | undefined;
}

const lacking = (has: readonly string[], needs: readonly string[]) =>
  needs.filter((scope) => !has.includes(scope));

const rules: readonly Rule[] = [
  {
    code: 'wrong_client',
    reason: ({ facts, clientId }) =>
      facts.clientId === clientId
        ? undefined
        : 'The grant belongs to another application than TWITCH_CLIENT_ID. Start again.',
  },
  {
    code: 'unknown_bot',
    reason: ({ only }) =>
      only === 'gone'
        ? 'The bot whose grant was to be renewed has been removed meanwhile. Start again without bot_account_id.'
        : undefined,
  },
  {
    code: 'wrong_user',
    reason({ only, facts }) {
      if (only === null || only === 'gone' || only.twitchUserId === facts.userId) return undefined;
      return `The grant of ${only.twitchLogin} was asked for, but ${facts.login} was signed in at Twitch. Sign in as ${only.twitchLogin} and start again.`;
    },
  },
  {
    code: 'missing_scopes',
    reason({ asked, facts }) {
      const missing = lacking(facts.scopes, asked);
      if (missing.length === 0) return undefined;
      return `Twitch granted less than was asked for; missing: ${missing.join(', ')}. Start again and allow all of it.`;
    },
  },
  {
    code: 'narrower_grant',
    reason({ known, facts, kind }) {
      if (known?.state !== 'ok') return undefined;
      const lost = lacking(facts.scopes, known.scopes);
      if (lost.length === 0) return undefined;
      const who = kind === 'broadcaster' ? "Have the relay's admin start" : 'Start';
      return `${known.name} works with more than this grant allows and would lose ${lost.join(', ')}; nothing was changed. ${who} again with bot_account_id ${known.id}.`;
    },
  },
];

export function grantVerdict(input: GrantInput): GrantVerdict {
  for (const { code, reason } of rules) {
    const why = reason(input);
    if (why === undefined) continue;
    return { ok: false, code, reason: why, revoke: code !== 'wrong_client' && input.known?.state !== 'ok' };
  }
  return { ok: true };
}
