// The table of what is fuzzed. The order is that of the report.
import { clientAnswers } from './client-answers.ts';
import { clientFrames } from './client-frames.ts';
import { clientMessages } from './client-messages.ts';
import { config } from './config.ts';
import { cursors } from './cursors.ts';
import { eventsubFrames } from './eventsub-frames.ts';
import { eventsubSession } from './eventsub-session.ts';
import { gateway } from './gateway.ts';
import { http } from './http.ts';
import { retryAfter } from './retry-after.ts';
import type { Target } from './target.ts';
import { twitchAnswers } from './twitch-answers.ts';
import { webhookAnswers } from './webhook-answers.ts';
import { webhookUrls } from './webhook-urls.ts';

export const targets: readonly Target[] = [
  gateway,
  http,
  eventsubSession,
  webhookAnswers,
  clientMessages,
  eventsubFrames,
  cursors,
  webhookUrls,
  retryAfter,
  clientFrames,
  clientAnswers,
  config,
  twitchAnswers,
];

/** Of all inputs, the part of each target on real sockets; the pure ones share what is left. */
const liveShare = 0.05;

/** How many inputs a target gets when there are so many for those that are played. */
export function piecesOf(target: Target, played: readonly Target[], runs: number): number {
  const live = played.filter(({ kind }) => kind === 'live').length;
  const pure = played.length - live;
  const each = pure === 0 ? 1 / live : liveShare;
  return Math.ceil(target.kind === 'live' ? runs * each : (runs * (1 - live * liveShare)) / pure);
}
