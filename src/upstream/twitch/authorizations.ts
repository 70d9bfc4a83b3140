// Authorizations from the first word to the last: a link or a code goes out, and whatever comes back ends in one place,
// where a grant is checked and stored or refused. State, code and tokens never leave but to Twitch and the store.
import { RelayError } from '../../domain/errors.ts';
import { authorizationTtlSeconds, type AuthorizationState } from '../../protocol/rest-authorizations.ts';
import type { Clock } from '../../runtime/clock.ts';
import type {
  Authorization,
  AuthorizationStore,
  GrantStore,
  NewAuthorization,
} from '../authorization-port.ts';
import type { UpstreamObserver } from '../observer.ts';
import { authorizeUrl } from './authorize-url.ts';
import { DevicePolls } from './device-polls.ts';
import { GrantEnd, type AuthorizationEnd } from './grant-end.ts';
import type { OAuth } from './oauth.ts';

export type { AuthorizationEnd } from './grant-end.ts';

/** As it is to be shown: a pending one that is too old is expired, whatever the row says. */
export type AuthorizationFacts = Omit<Authorization, 'state'> & { readonly state: AuthorizationState };

interface BotAsk {
  readonly name: string | undefined;
  readonly botAccountId: string | undefined;
  readonly scopes: readonly string[];
}

export interface Authorizations {
  /** With `botAccountId` only that bot's user may grant, and its present scopes are asked for too. Throws RelayError 404 `unknown_bot`. */
  startBrowser(ask: BotAsk): Promise<{ authorization: AuthorizationFacts; authorizeUrl: string }>;
  /**
   * As `startBrowser`. Throws RelayError 503 `twitch_unreachable`, 422 `device_refused`. From now on Twitch is asked what
   * became of it, also after a restart.
   */
  startDevice(ask: BotAsk): Promise<{
    authorization: AuthorizationFacts;
    userCode: string;
    verificationUri: string;
    intervalSeconds: number;
  }>;
  /** The account that comes of it may be used by the service that asked. */
  startBroadcaster(ask: {
    serviceAccountId: string | null;
    scopes: readonly string[];
  }): Promise<{ authorization: AuthorizationFacts; authorizeUrl: string }>;
  /** A browser is back. Each state is good for one call. Throws only when the database is away. */
  finish(back: {
    state: string | undefined;
    code: string | undefined;
    error: string | undefined;
  }): Promise<AuthorizationEnd>;
  get(id: string): Promise<AuthorizationFacts | undefined>;
  /** Asks Twitch about device codes and removes old rows, until the signal; resolves when nothing is under way. */
  run(signal: AbortSignal): Promise<void>;
}

export interface AuthorizationsDeps {
  readonly clientId: string;
  readonly mockApiPort: number | undefined;
  readonly redirectUri: () => string;
  readonly oauth: Pick<OAuth, 'validate' | 'exchangeCode' | 'revoke' | 'startDevice' | 'pollDevice'>;
  readonly store: AuthorizationStore;
  readonly grants: GrantStore;
  readonly clock: Clock;
  /** 0 to 1; spreads retries. */
  readonly random: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
  readonly observer: UpstreamObserver;
}

/** 256 bits: not to be guessed within its ten minutes, nor ever. */
const stateBytes = 32;

const stateRefusals = {
  unknown: 'The relay did not send this browser to Twitch, or it was long ago. Start again.',
  used: 'This link has been used already; each is good for one time. Start again.',
  expired: 'The link was older than ten minutes. Start again.',
} as const;

export function createAuthorizations(deps: AuthorizationsDeps): Authorizations {
  const { clientId, clock, grants, mockApiPort, oauth, observer, store } = deps;
  const grantEnd = new GrantEnd(deps);
  const polls = new DevicePolls({ ...deps, grantEnd });

  /** What the bot may do already is asked for too: Twitch gives a token for what was asked this time, and no more. */
  const withPresent = async (botAccountId: string | undefined, scopes: readonly string[]) => {
    if (botAccountId === undefined) return [...new Set(scopes)];
    const bot = await grants.get(botAccountId);
    if (!bot) throw unknownBot();
    return [...new Set([...bot.scopes, ...scopes])];
  };

  const create = async (authorization: NewAuthorization): Promise<AuthorizationFacts> => {
    const made = await store.create(authorization);
    observer.authorizationStarted({ id: made.id, kind: made.kind, scopes: made.scopes });
    return shown(made, clock.now());
  };

  const startLink = async (
    ask: Pick<NewAuthorization, 'kind' | 'name' | 'scopes' | 'botAccountId' | 'serviceAccountId'>,
  ) => {
    const state = Buffer.from(deps.randomBytes(stateBytes)).toString('base64url');
    const redirectUri = deps.redirectUri();
    const authorization = await create({
      ...ask,
      redirectUri,
      intervalSeconds: null,
      expiresAt: clock.now() + authorizationTtlSeconds * 1_000,
      stateToken: state,
      deviceCode: null,
    });
    const url = authorizeUrl({ clientId, redirectUri, scopes: ask.scopes, state, mockApiPort });
    return { authorization, authorizeUrl: url };
  };

  return {
    async startBrowser({ name, botAccountId, scopes }) {
      return startLink({
        kind: 'browser',
        name: name ?? null,
        scopes: await withPresent(botAccountId, scopes),
        botAccountId: botAccountId ?? null,
        serviceAccountId: null,
      });
    },
    startBroadcaster: ({ serviceAccountId, scopes }) =>
      startLink({
        kind: 'broadcaster',
        name: null,
        scopes: [...new Set(scopes)],
        botAccountId: null,
        serviceAccountId,
      }),
    async startDevice({ name, botAccountId, scopes }) {
      const asked = await withPresent(botAccountId, scopes);
      const started = await oauth.startDevice(asked);
      if (started.kind === 'unreachable') throw unreachable(started.why);
      if (started.kind === 'refused') throw deviceRefused();
      const { deviceCode, userCode, verificationUri, intervalSeconds } = started;
      const authorization = await create({
        kind: 'device',
        name: name ?? null,
        scopes: asked,
        redirectUri: null,
        botAccountId: botAccountId ?? null,
        serviceAccountId: null,
        intervalSeconds,
        expiresAt: clock.now() + started.expiresInSeconds * 1_000,
        stateToken: null,
        deviceCode,
      });
      polls.add({ authorization, deviceCode });
      return { authorization, userCode, verificationUri, intervalSeconds };
    },
    async finish({ state, code, error }) {
      if (state === undefined || state === '')
        return refused(
          'state_missing',
          'The address lacks the state that the relay sent along. Start again.',
        );
      const claimed = await store.claim(state);
      if (!claimed.ok) return refused(`state_${claimed.why}`, stateRefusals[claimed.why]);
      const { authorization } = claimed;
      if (error !== undefined) return grantEnd.withoutGrant(authorization, error);
      if (code === undefined || code === '') return grantEnd.codeInvalid(authorization);
      const redirectUri = authorization.redirectUri ?? deps.redirectUri();
      const exchanged = await oauth.exchangeCode(code, redirectUri);
      if (exchanged.kind === 'invalid') return grantEnd.codeInvalid(authorization);
      if (exchanged.kind === 'unreachable') return grantEnd.unreachable(authorization, exchanged.why);
      return grantEnd.withGrant(authorization, exchanged.token);
    },
    async get(id) {
      const found = await store.get(id);
      return found && shown(found, clock.now());
    },
    run: (signal) => polls.run(signal),
  };
}

const shown = (authorization: Authorization, now: number): AuthorizationFacts => ({
  ...authorization,
  state:
    authorization.state === 'pending' && authorization.expiresAt <= now ? 'expired' : authorization.state,
});

const refused = (code: string, reason: string): AuthorizationEnd => ({ kind: 'refused', code, reason });

function unknownBot(): RelayError {
  const message = 'There is no bot of this id; GET /v1/admin/bots lists them.';
  return new RelayError('unknown_bot', 404, message, { errors: [{ path: 'bot_account_id', message }] });
}

const unreachable = (why: string) =>
  new RelayError('twitch_unreachable', 503, `Twitch gave no device code (${why}); try again.`);

const deviceRefused = () =>
  new RelayError(
    'device_refused',
    422,
    'Twitch gives no device code for this application or these scopes; check the scopes, or use a browser link.',
    { errors: [{ path: 'scopes', message: 'expected scopes that Twitch knows' }] },
  );
