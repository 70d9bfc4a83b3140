// What was looked at becomes a verdict and what to do about it. Pure: rows, the upstream's own view and Twitch's answer go
// in; every line that is not well says which call mends it.
import type { Budget, Usage } from '../domain/budget.ts';
import type { EventTypeRule } from '../domain/event-type.ts';
import { lackingScopes } from '../domain/wish.ts';
import type { CheckView } from '../protocol/rest.ts';
import { isoTime } from '../runtime/clock.ts';
import type { WantedTopic } from './bot-usage.ts';
import type { BotRow, BotStatus, UpstreamCheck } from './port.ts';

export interface CheckedBot {
  readonly bot: BotRow;
  readonly status: BotStatus;
  readonly topics: readonly WantedTopic[];
  readonly budget: Budget;
}

export interface CheckInput {
  readonly own: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
  readonly upstream: UpstreamCheck;
  readonly bots: readonly CheckedBot[];
  /** The catalogue's entry of a topic; undefined for a type that it does not know. */
  readonly ruleOf: (topic: WantedTopic) => EventTypeRule | undefined;
  readonly nowMs: number;
}

/** The measurement is good to a second, so less says nothing; from here on gaps and latencies are told visibly wrong. */
export const clockWarningMs = 2_000;
/** Longer than a hand-over may take: the window of a declared gap could then lie wholly beside the loss. */
export const clockFailedMs = 30_000;
/** Of a limit: time to do something about it. */
const nearlyUsed = 0.8;
/** How many are named before "and n more". */
const namedTopics = 3;

interface Line {
  readonly status: CheckView['status'];
  readonly detail: string;
  readonly advice: string | null;
}

export function verdicts(input: CheckInput): CheckView[] {
  const { own, upstream, bots } = input;
  return [
    ...own.map((check) => of(null, check.name, check.ok ? ok(check.detail) : ownFault(check))),
    of(null, 'twitch', twitch(upstream)),
    of(null, 'clock', clock(upstream)),
    ...bots.flatMap((checked) => {
      const { id } = checked.bot;
      return [
        of(id, 'token', token(checked, upstream, input.nowMs)),
        of(id, 'scopes', scopes(checked, input.ruleOf)),
        of(id, 'budget', budget(checked)),
        of(id, 'session', session(checked)),
      ];
    }),
  ];
}

const of = (bot: string | null, name: string, line: Line): CheckView => ({
  name,
  bot_account_id: bot,
  ...line,
});
const ok = (detail: string): Line => ({ status: 'ok', detail, advice: null });
const warning = (detail: string, advice: string): Line => ({ status: 'warning', detail, advice });
const failed = (detail: string, advice: string): Line => ({ status: 'failed', detail, advice });

const ownAdvice: Readonly<Record<string, string>> = {
  database:
    'Start PostgreSQL, or correct DATABASE_URL and restart the relay. Nothing is lost: what comes in meanwhile is held.',
  migrations: 'Restart the relay with the newest version: it brings the database up to date as it starts.',
  log: 'Look at the disk and the state of the database; what waits is written as soon as it can be.',
};

const ownFault = ({ name, detail }: { name: string; detail: string }): Line =>
  failed(detail, ownAdvice[name] ?? 'Look at the log of the relay: it says why.');

function twitch({ unreachable }: UpstreamCheck): Line {
  if (unreachable === null) return ok('Twitch answers');
  return failed(
    unreachable,
    'See whether this machine reaches https://id.twitch.tv and https://api.twitch.tv (DNS, firewall, proxy), and whether ' +
      'https://status.twitch.com tells of an outage. If Twitch refuses the application, correct TWITCH_CLIENT_ID and ' +
      'TWITCH_CLIENT_SECRET and restart.',
  );
}

function clock({ clockAheadMs }: UpstreamCheck): Line {
  const advice = 'Let the machine keep its time: timedatectl set-ntp true, or w32tm /resync on Windows.';
  if (clockAheadMs === null) {
    return warning(
      'not known: Twitch did not tell its time',
      'Mend the connection to Twitch, then look again.',
    );
  }
  const off = Math.abs(clockAheadMs);
  if (off <= clockWarningMs) return ok('within two seconds of the time of Twitch');
  const detail = `${(off / 1_000).toFixed(1)} s ${clockAheadMs > 0 ? 'ahead of' : 'behind'} Twitch`;
  return off > clockFailedMs ? failed(detail, advice) : warning(detail, advice);
}

const authorise = (botId: string): string =>
  `POST /v1/admin/bots/authorize with {"bot_account_id": "${botId}"} and open the link as the bot`;

function token({ bot }: CheckedBot, upstream: UpstreamCheck, nowMs: number): Line {
  const asked = upstream.tokens.get(bot.id) ?? 'unknown';
  if (bot.state === 'reauth_required' || asked === 'reauth_required') {
    return failed(
      'Twitch takes the token no more, and it cannot be renewed',
      `Authorise the bot again: ${authorise(bot.id)}.`,
    );
  }
  if (asked === 'unreadable') {
    return failed(
      'the stored token cannot be read with TOKEN_ENCRYPTION_KEY',
      `Put the key of before behind the one of now, after a comma, and restart; if it is lost: ${authorise(bot.id)}.`,
    );
  }
  if (asked === 'unknown') {
    return warning('Twitch could not be asked about the token', 'Look again once the line "twitch" is well.');
  }
  if (bot.refreshable === false) return unrenewable(bot, nowMs);
  return ok(
    bot.tokenExpiresAt === null
      ? 'Twitch takes the token'
      : `Twitch takes the token; it is renewed before ${isoTime(bot.tokenExpiresAt)}`,
  );
}

function unrenewable({ id, tokenExpiresAt }: BotRow, nowMs: number): Line {
  const advice = `Authorise the bot, so that the relay can renew its token by itself: ${authorise(id)}.`;
  if (tokenExpiresAt === null) return ok('Twitch takes the token; it does not expire');
  if (tokenExpiresAt <= nowMs)
    return failed('the token has expired and came without a refresh token', advice);
  return warning(`the token came without a refresh token and ends at ${isoTime(tokenExpiresAt)}`, advice);
}

function scopes({ bot, topics }: CheckedBot, ruleOf: CheckInput['ruleOf']): Line {
  const lacking = new Map<string, string>();
  for (const topic of topics.filter(({ wanted }) => wanted)) {
    const rule = ruleOf(topic);
    const groups = rule ? lackingScopes(rule, bot.scopes) : [];
    if (groups.length > 0) lacking.set(topic.type, groups.map((choices) => choices.join(' or ')).join(', '));
  }
  if (lacking.size === 0) return ok('enough for everything that is wanted');
  const lines = [...lacking].map(([type, needed]) => `${type} needs ${needed}`);
  return failed(some(lines), `Authorise the bot again, which asks for them too: ${authorise(bot.id)}.`);
}

function budget({ bot, budget: { subscriptions, cost } }: CheckedBot): Line {
  const detail =
    `${subscriptions.used} of ${subscriptions.limit} subscriptions, ` + `cost ${cost.used} of ${cost.limit}`;
  const worst = Math.max(share(subscriptions), share(cost));
  if (worst < nearlyUsed) return ok(detail);
  const advice =
    share(cost) >= nearlyUsed
      ? 'A channel is free once its broadcaster has authorised the application: POST /v1/broadcaster-authorizations/start ' +
        'and send the link. Otherwise delete interests, or move some to another bot.'
      : `Delete interests of bot ${bot.name}, or move some to another bot.`;
  return worst > 1 ? failed(detail, advice) : warning(detail, advice);
}

const share = ({ used, limit }: Usage): number => (limit === 0 ? 0 : used / limit);

function session({ bot, status, topics }: CheckedBot): Line {
  const wanted = topics.filter((topic) => topic.wanted);
  if (!bot.enabled) return disabled(bot, wanted.length);
  if (status.healthy) return ok(status.detail);
  const refused = wanted.filter(({ state }) => state === 'rejected' || state === 'revoked');
  if (refused.length > 0) {
    const lines = refused.map(
      ({ type, state, reason }) => `${type} ${state}: ${reason ?? 'no reason given'}`,
    );
    return failed(
      some(lines),
      `Delete these interests, or give the bot what they need: ${authorise(bot.id)}. Then Twitch is asked again.`,
    );
  }
  const advice =
    'Right after a start or a change this passes by itself within a minute. If it stays, mend what stands above, and ' +
    'look at the log of the relay for this bot.';
  return status.session.state === 'live' ? warning(status.detail, advice) : failed(status.detail, advice);
}

function disabled({ id }: BotRow, wanted: number): Line {
  if (wanted === 0) return ok('the bot is disabled, and nothing is wanted of it');
  return warning(
    `the bot is disabled, and ${wanted} ${wanted === 1 ? 'topic is' : 'topics are'} wanted of it`,
    `PATCH /v1/admin/bots/${id} with {"enabled": true}, or delete the interests.`,
  );
}

function some(lines: readonly string[]): string {
  const more = lines.length - namedTopics;
  return lines.slice(0, namedTopics).join('; ') + (more > 0 ? `; and ${more} more` : '');
}
