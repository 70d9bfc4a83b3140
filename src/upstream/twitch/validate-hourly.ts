// Twitch's rule that every token that is kept is validated at start and hourly. Decides nothing about a token.
// Source: https://dev.twitch.tv/docs/authentication/validate-tokens/
import { pause, type Clock } from '../../runtime/clock.ts';
import type { TokenKeeper } from './token-keeper.ts';

/** A bot about which Twitch said nothing is asked for again after this: a dead token must not go unnoticed for an hour. */
const againMs = 60_000;

export interface ValidateDeps {
  readonly keeper: Pick<TokenKeeper, 'validate'>;
  readonly clock: Clock;
  readonly everyMs: number;
  readonly bots: () => Promise<readonly string[]>;
  readonly onError: (error: unknown) => void;
}

/** Validates every bot now and then hourly, until the signal. */
export async function validateHourly(deps: ValidateDeps, signal: AbortSignal): Promise<void> {
  const { clock, everyMs } = deps;
  while (!signal.aborted) {
    const botIds = await listed(deps);
    let restMs = botIds ? everyMs : againMs;
    let open = await validateAll(deps, botIds ?? [], signal);
    while (open.length > 0 && restMs > againMs && !signal.aborted) {
      await pause(clock, againMs, signal);
      restMs -= againMs;
      open = await validateAll(deps, open, signal);
    }
    await pause(clock, restMs, signal);
  }
}

async function listed({ bots, onError }: ValidateDeps): Promise<readonly string[] | undefined> {
  try {
    return await bots();
  } catch (error) {
    onError(error);
    return undefined;
  }
}

/** Those that Twitch said nothing about. */
async function validateAll(
  { keeper, onError }: ValidateDeps,
  botIds: readonly string[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const open: string[] = [];
  for (const botId of botIds) {
    if (signal.aborted) break;
    try {
      if ((await keeper.validate(botId)).kind === 'later') open.push(botId);
    } catch (error) {
      // One bot whose tokens cannot be read must not keep the others from being validated.
      onError(error);
    }
  }
  return open;
}
