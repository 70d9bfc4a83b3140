// Waiting for a Twitch user to say yes. It asks until the relay has decided, and lives through a relay that restarts.
import { RelayApiError, type AuthorizationView, type WaitOptions } from '../client/index.ts';
import { pause } from '../runtime/clock.ts';
import { CliFailure } from './failure.ts';
import { duration } from './format.ts';
import type { CliIo } from './io.ts';
import type { Session } from './session.ts';

/** How long one question may be held by the relay, in seconds. Its own limit is 30. */
const waitSeconds = 20;
const againAfterMs = 1_000;

export type AskAuthorization = (id: string, options: WaitOptions) => Promise<AuthorizationView>;

/** The decided authorization. Throws a CliFailure when it was denied, failed or ran out of time. */
export async function awaitAuthorization(
  { io, during }: Pick<Session, 'io' | 'during'>,
  ask: AskAuthorization,
  pending: AuthorizationView,
): Promise<AuthorizationView> {
  const decided = await during(waitingText(io, pending), async (progress) => {
    for (let last = pending; ;) {
      if (last.state !== 'pending') return last;
      progress.say(waitingText(io, pending));
      last = (await askOnce(io, ask, pending.id)) ?? last;
    }
  });
  if (decided.state === 'completed') return decided;
  throw new CliFailure(
    'failed',
    decided.reason ?? refusals[decided.state],
    'Start again when it is settled.',
  );
}

const waitingText = (io: CliIo, { expires_at: expiresAt }: AuthorizationView) =>
  `waiting for the answer, at most ${duration(Math.max(0, Date.parse(expiresAt) - io.clock.now()))}`;

const refusals: Readonly<Record<Exclude<AuthorizationView['state'], 'completed'>, string>> = {
  pending: 'Nothing was decided.',
  denied: 'The user said no.',
  failed: 'The authorisation failed.',
  expired: 'Nobody answered in time.',
};

/** Undefined: the relay was away for a moment. */
async function askOnce(io: CliIo, ask: AskAuthorization, id: string): Promise<AuthorizationView | undefined> {
  try {
    return await ask(id, { waitSeconds, signal: io.signal });
  } catch (error) {
    if (io.signal.aborted || !(error instanceof RelayApiError) || !error.shouldRetry()) throw error;
    await pause(io.clock, error.retryAfterMs ?? againAfterMs, io.signal);
    return undefined;
  }
}
