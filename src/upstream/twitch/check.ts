// Asking Twitch on demand: whether it answers, what its clock says, and what each bot's token is worth. Bounded in time
// and in how much is asked at once; never rejects.
import { RelayError } from '../../domain/errors.ts';
import { pause, type Clock } from '../../runtime/clock.ts';
import type { OAuth } from './oauth.ts';
import type { TokenKeeper } from './token-keeper.ts';

export interface UpstreamCheck {
  /** Null: it answered; else why not, for people. */
  readonly unreachable: string | null;
  /** Our clock minus Twitch's, milliseconds; null when unknown. Good to a second. */
  readonly clockAheadMs: number | null;
  readonly tokens: ReadonlyMap<string, TokenWorth>;
}

/** `unreadable`: what is stored cannot be decrypted with the keys of now. */
export type TokenWorth = 'ok' | 'reauth_required' | 'unreadable' | 'unknown';

/** Somebody waits for it. */
const withinMs = 5_000;
const atOnce = 4;
/** The header counts whole seconds: on average half of one has passed. */
const dateTruncationMs = 500;

interface CheckDeps {
  readonly oauth: Pick<OAuth, 'ping'>;
  readonly keeper: Pick<TokenKeeper, 'validate'>;
  readonly clock: Clock;
}

export async function checkUpstream(deps: CheckDeps, botIds: readonly string[]): Promise<UpstreamCheck> {
  const tokens = new Map<string, TokenWorth>(botIds.map((botId) => [botId, 'unknown']));
  const over = new AbortController();
  const late = pause(deps.clock, withinMs, over.signal).then(() => null);
  try {
    const pinged = await Promise.race([deps.oauth.ping(), late]);
    const unreachable =
      pinged === null ? 'no answer in time' : pinged.kind === 'unreachable' ? pinged.why : null;
    if (pinged === null || pinged.kind === 'unreachable') return { unreachable, clockAheadMs: null, tokens };
    await Promise.race([validateAll(deps, botIds, tokens, over.signal), late]);
    const { askedAt, answeredAt, date } = pinged;
    const clockAheadMs =
      date === null ? null : Math.round((askedAt + answeredAt) / 2 - (date + dateTruncationMs));
    return { unreachable, clockAheadMs, tokens: new Map(tokens) };
  } finally {
    over.abort();
  }
}

const worth = { token: 'ok', reauth: 'reauth_required', later: 'unknown' } as const;

/** The store's word for a key that is not listed, or for a value that is damaged. */
const sealed = (error: unknown): boolean => error instanceof RelayError && error.code.startsWith('seal_');

async function validateAll(
  { keeper }: CheckDeps,
  botIds: readonly string[],
  tokens: Map<string, TokenWorth>,
  signal: AbortSignal,
): Promise<void> {
  const waiting = [...botIds];
  const work = async () => {
    for (let botId = waiting.shift(); botId !== undefined && !signal.aborted; botId = waiting.shift()) {
      const found = await keeper.validate(botId).then(
        ({ kind }): TokenWorth => worth[kind],
        (error: unknown): TokenWorth => (sealed(error) ? 'unreadable' : 'unknown'),
      );
      tokens.set(botId, found);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
}
