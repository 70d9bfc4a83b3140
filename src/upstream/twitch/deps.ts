// What one bot's upstream is built from. Passed down from the fleet; tests pass shorter times and their own clock.
import type { Clock } from '../../runtime/clock.ts';
import type { Crash } from '../../runtime/crash-points.ts';
import type { UpstreamObserver } from '../observer.ts';
import type { UpstreamSink } from '../port.ts';
import type { UpstreamBot, UpstreamStore, UpstreamTopic } from '../store-port.ts';
import type { Helix } from './helix.ts';
import type { Timings } from './timings.ts';
import type { TokenKeeper } from './token-keeper.ts';

/** What a bot's rows said when another relay had ended, and what could not be held of it until then. */
export interface Inherited {
  readonly bot: UpstreamBot;
  readonly topics: readonly UpstreamTopic[];
  readonly dropped: readonly { readonly topicId: string; readonly from: number; readonly to: number }[];
}

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
  /** True while another relay is active: nothing of its is touched, and nothing is declared. */
  readonly standingBy?: (() => boolean) | undefined;
  /** For tests that end the process there; nothing in production. */
  readonly crash?: Crash | undefined;
}
