// What one bot's upstream is built from. Passed down from the fleet; tests pass shorter times and their own clock.
import type { Clock } from '../../runtime/clock.ts';
import type { UpstreamObserver } from '../observer.ts';
import type { UpstreamSink } from '../port.ts';
import type { UpstreamStore } from '../store-port.ts';
import type { Helix } from './helix.ts';
import type { Timings } from './timings.ts';
import type { TokenKeeper } from './token-keeper.ts';

export interface BotUpstreamDeps {
  readonly clock: Clock;
  readonly timings: Timings;
  /** 0 to 1; spreads retries. */
  readonly random: () => number;
  /** With the keepalive asked for in its query. */
  readonly eventSubUrl: string;
  readonly helix: Helix;
  readonly keeper: TokenKeeper;
  readonly store: UpstreamStore;
  readonly sink: UpstreamSink;
  readonly observer: UpstreamObserver;
  /** Have the bot's token validated soon: Twitch has said something that suggests it is no good. */
  readonly checkToken: (botId: string) => void;
}
