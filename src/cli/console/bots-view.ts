// A bot as one line and one word: whether it works, and if not, what to do. Pure.
import type { BotView } from '../../client/index.ts';
import { count, relative } from '../format.ts';
import { pad, printable, widthOf, type Style } from '../style.ts';
import type { Column } from '../table.ts';
import { wrap } from './wrap.ts';

export type Mood = 'good' | 'idle' | 'warning' | 'bad';

export interface Verdict {
  readonly mood: Mood;
  /** Two or three words. */
  readonly text: string;
  /** What to do about it. */
  readonly advice: string | undefined;
}

const verdict = (mood: Mood, text: string, advice?: string): Verdict => ({ mood, text, advice });
const topics = (bot: BotView, state: string): number => bot.topics[state] ?? 0;

/** The first thing that keeps it from working, the gravest first. */
export function botVerdict(bot: BotView): Verdict {
  if (!bot.enabled) return verdict('idle', 'disabled', 'Enable it to have its events again.');
  if (bot.state === 'reauth_required') {
    return verdict(
      'bad',
      'needs a new grant',
      'Twitch does not accept its token any more: choose "Authorise anew".',
    );
  }
  const refused = topics(bot, 'rejected') + topics(bot, 'revoked');
  if (refused > 0) {
    return verdict(
      'warning',
      `${count(refused, 'topic')} refused`,
      'Its interests say why (menu "Interests"); a missing scope is granted with "Authorise anew".',
    );
  }
  if (topics(bot, 'degraded') > 0) {
    return verdict(
      'warning',
      `${count(topics(bot, 'degraded'), 'topic')} degraded`,
      'The relay goes on trying.',
    );
  }
  const wanted = Object.values(bot.topics).reduce((sum, each) => sum + each, 0);
  if (wanted === 0) return verdict('idle', 'ready, nothing wanted', undefined);
  if (bot.session.state !== 'live') return verdict('warning', 'connecting', 'This should take seconds.');
  if (topics(bot, 'pending') > 0) return verdict('warning', 'subscribing', 'This should take seconds.');
  return verdict('good', 'works', undefined);
}

const moods: Readonly<Record<Mood, { mark: string; paint: keyof Style }>> = {
  good: { mark: '●', paint: 'green' },
  idle: { mark: '○', paint: 'dim' },
  warning: { mark: '▲', paint: 'yellow' },
  bad: { mark: '✗', paint: 'red' },
};

export const moodMark = (mood: Mood): string => moods[mood].mark;
export const inMood = (mood: Mood, text: string, style: Style): string => style[moods[mood].paint](text);

/** The relay renews a token before it runs out, or when it is needed next: neither is a fault. */
export function tokenText(bot: BotView, now: number): string {
  if (bot.state === 'reauth_required') return 'refused by Twitch';
  if (bot.token_expires_at === null) return 'no end known';
  return Date.parse(bot.token_expires_at) > now
    ? `renewed ${relative(bot.token_expires_at, now)}`
    : 'renewed when needed';
}

export function topicsText(bot: BotView): string {
  const states = Object.entries(bot.topics).filter(([, number]) => number > 0);
  return states.length === 0 ? 'none' : states.map(([state, number]) => `${number} ${state}`).join(', ');
}

const sessionText = ({ session }: BotView): string =>
  session.state === 'live' && session.sockets > 1 ? `live, ${session.sockets} sockets` : session.state;

/** `now`: milliseconds since the epoch. Only the login is cut; where the rest does not fit, it stands below each other. */
export function botColumns(now: number): readonly Column<BotView>[] {
  const moody = (text: string, bot: BotView, style: Style) => inMood(botVerdict(bot).mood, text, style);
  return [
    { title: 'Bot', value: (bot) => bot.name, whole: true },
    { title: 'Login', value: (bot) => bot.twitch_login },
    {
      title: 'State',
      value: (bot) => `${moodMark(botVerdict(bot).mood)} ${botVerdict(bot).text}`,
      paint: moody,
      whole: true,
    },
    { title: 'Session', value: sessionText, whole: true },
    { title: 'Topics', value: topicsText, whole: true },
    { title: 'Used', value: (bot) => `${bot.subscriptions.used}/${bot.subscriptions.limit}`, whole: true },
    { title: 'Cost', value: (bot) => `${bot.cost.used}/${bot.cost.limit}`, whole: true },
    { title: 'Token', value: (bot) => tokenText(bot, now), whole: true },
  ];
}

/** Everything about one bot, a line or more per member, wrapped beside its title. */
export function botDetails(bot: BotView, now: number, width: number, style: Style): string[] {
  const columns: readonly Column<BotView>[] = [
    ...botColumns(now),
    { title: 'Scopes', value: ({ scopes }) => scopes.join(', ') || 'none' },
    { title: 'Id', value: ({ id }) => id },
  ];
  const label = Math.max(...columns.map(({ title }) => widthOf(title))) + 2;
  return columns.flatMap(({ title, value, paint }) => {
    const [first = '', ...rest] = wrap(printable(value(bot)), width - label);
    const painted = paint ? paint(first, bot, style) : first;
    return [style.dim(pad(title, label)) + painted, ...rest.map((text) => ' '.repeat(label) + text)];
  });
}

/** One line above the menu. */
export function overview(bots: readonly BotView[]): { mood: Mood; text: string } {
  if (bots.length === 0) return { mood: 'idle', text: 'no bot yet' };
  const bad = bots
    .map((bot) => ({ bot, ...botVerdict(bot) }))
    .filter(({ mood }) => mood === 'bad' || mood === 'warning');
  if (bad.length === 0) return { mood: 'good', text: `${count(bots.length, 'bot')}, nothing amiss` };
  const list = bad.map(({ bot, text }) => `${bot.name}: ${text}`).join('; ');
  return {
    mood: bad.some(({ mood }) => mood === 'bad') ? 'bad' : 'warning',
    text: `${count(bots.length, 'bot')}; ${list}`,
  };
}
