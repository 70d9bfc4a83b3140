// What the console draws, as text: verdicts, tables at every width, and nothing of a stranger's that moves the cursor.
import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { botColumns, botDetails, botVerdict, overview } from '../../src/cli/console/bots-view.ts';
import { checkLines } from '../../src/cli/console/checks.ts';
import { typeList, usualTypes } from '../../src/cli/console/event-types.ts';
import { interestColumns } from '../../src/cli/console/interests.ts';
import { asksFor, matching } from '../../src/cli/console/new-interest.ts';
import { secretText } from '../../src/cli/console/secret-screen.ts';
import { accessText, serviceColumns } from '../../src/cli/console/services.ts';
import { wrap } from '../../src/cli/console/wrap.ts';
import { styleFor, widthOf } from '../../src/cli/style.ts';
import { renderTable } from '../../src/cli/table.ts';
import type { BotView, InterestView, SubscriptionType } from '../../src/client/index.ts';
import { eventTypes } from '../../src/upstream/twitch/catalog.ts';

const plain = styleFor({ isTTY: false }, {});
const coloured = styleFor({ isTTY: true }, {});
const now = Date.parse('2026-11-21T12:00:00Z');
const narrow = 60;

const bot = (given: Partial<BotView> = {}): BotView => ({
  id: '6f1c3f6e-8a54-4c3c-9f0a-111111111111',
  name: 'chatty',
  provider: 'twitch',
  twitch_user_id: '1',
  twitch_login: 'chatty_tv',
  enabled: true,
  state: 'ok',
  scopes: ['user:read:chat', 'moderator:read:followers', 'channel:read:subscriptions'],
  token_expires_at: '2026-11-21T15:00:00Z',
  session: { state: 'live', sockets: 1, connected_at: null, last_frame_at: null, reconnects: 0 },
  subscriptions: { used: 3, limit: 900 },
  cost: { used: 1, limit: 10 },
  topics: { active: 3 },
  ...given,
});
const session = (state: 'none' | 'connecting' | 'live') => ({ ...bot().session, state });

describe('whether a bot works', () => {
  it.each([
    ['works', bot(), 'good'],
    ['disabled', bot({ enabled: false, state: 'reauth_required' }), 'idle'],
    ['needs a new grant', bot({ state: 'reauth_required' }), 'bad'],
    ['1 topic refused', bot({ topics: { active: 2, rejected: 1 } }), 'warning'],
    ['3 topics refused', bot({ topics: { revoked: 1, rejected: 2 } }), 'warning'],
    ['2 topics degraded', bot({ topics: { active: 1, degraded: 2 } }), 'warning'],
    ['ready, nothing wanted', bot({ topics: { active: 0 }, session: session('none') }), 'idle'],
    ['connecting', bot({ session: session('connecting') }), 'warning'],
    ['subscribing', bot({ topics: { active: 1, pending: 1 } }), 'warning'],
  ] as const)('%s', (text, given, mood) => {
    expect(botVerdict(given)).toMatchObject({ text, mood });
  });

  it('is told in one line over the menu', () => {
    expect(overview([])).toEqual({ mood: 'idle', text: 'no bot yet' });
    expect(overview([bot(), bot()])).toEqual({ mood: 'good', text: '2 bots, nothing amiss' });
    expect(overview([bot(), bot({ name: 'sad', state: 'reauth_required' })])).toEqual({
      mood: 'bad',
      text: '2 bots; sad: needs a new grant',
    });
  });
});

const table = (width: number, given: readonly BotView[]) =>
  renderTable(botColumns(now), given, { width, style: plain });
const widest = (text: string) => Math.max(...text.split('\n').map(widthOf));

describe('the table of bots', () => {
  it('is a table where one fits', () => {
    const text = table(110, [bot(), bot({ name: 'other', enabled: false })]);
    expect(text.split('\n')[0]).toMatch(/^Bot +Login +State +Session +Topics +Used +Cost +Token$/u);
    expect(text).toMatch(/^chatty +chatty_tv +● works +live +3 active +3\/900 +1\/10 +renewed in 3 h$/mu);
    expect(text).toMatch(/^other .*○ disabled/mu);
    expect(widest(text)).toBeLessThanOrEqual(110);
  });

  it('stands below each other on a narrow terminal, with nothing cut', () => {
    const text = table(narrow, [bot({ topics: { active: 3, rejected: 1 } })]);
    expect(widest(text)).toBeLessThanOrEqual(narrow);
    expect(text).toMatch(/^State +▲ 1 topic refused$/mu);
    expect(text).toMatch(/^Topics +3 active, 1 rejected$/mu);
  });

  it('has colours only where they are wanted', () => {
    const [off, on] = [plain, coloured].map((style) =>
      renderTable(botColumns(now), [bot()], { width: 110, style }),
    );
    expect(off).not.toContain('\u001b');
    expect(on).toContain('\u001b[32m● works');
    expect(stripVTControlCharacters(on ?? '')).toBe(off);
  });

  it('shows one bot with all it has, wrapped at words', () => {
    const lines = botDetails(bot(), now, narrow, plain);
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(narrow);
    expect(lines.join(' ').replaceAll(/ +/gu, ' ')).toContain(
      'Scopes user:read:chat, moderator:read:followers, channel:read:subscriptions',
    );
  });

  it('sends no control character of a name to the terminal', () => {
    const text = table(110, [bot({ name: 'evil\u001b[2J\u009b31m' })]);
    // oxlint-disable-next-line no-control-regex -- these are what is looked for
    expect(text).not.toMatch(/[\u001b\u009b]/u);
    expect(text).toContain('evil');
  });
});

const subscriptionType = (name: string, given: Partial<SubscriptionType> = {}): SubscriptionType => ({
  type: name,
  version: '1',
  condition: [],
  optional_condition: [],
  exactly_one_of: [],
  scopes_any_of: ['a', 'b'],
  scopes_all_of: [['c']],
  websocket: true,
  token_user: null,
  status: 'live',
  ...given,
});

describe('the rest', () => {
  it('says which bots a service may use by their names', () => {
    const service = {
      name: 'alerts',
      client_id: 'c',
      enabled: true,
      access_mode: 'restricted' as const,
      bot_account_ids: [bot().id],
      created_at: '',
      last_seen_at: null,
    };
    expect(accessText(service, [bot()])).toBe('only chatty');
    expect(accessText({ ...service, bot_account_ids: [] }, [bot()])).toBe('no bot');
    expect(accessText({ ...service, access_mode: 'all' }, [bot()])).toBe('all bots');
    const text = renderTable(serviceColumns([bot()], now), [service], { width: narrow, style: plain });
    expect(widest(text)).toBeLessThanOrEqual(narrow);
    expect(text).toContain('never');
  });

  it('shows the state and the bot of an interest', () => {
    const interest: InterestView = {
      id: bot().id,
      service_account_id: bot().id,
      bot_account_id: bot().id,
      event_type: 'channel.follow',
      version: '2',
      condition: {},
      broadcaster_user_id: '1234',
      transport: 'websocket',
      webhook_url: null,
      endpoint_id: null,
      topic_id: bot().id,
      state: 'rejected',
      code: 'missing_scope',
      reason: 'scope',
      retry_at: null,
      created_at: '',
    };
    const text = renderTable(interestColumns([bot()]), [interest], { width: 80, style: plain });
    expect(text).toMatch(/^channel\.follow v2 +rejected +chatty +1234 +websocket$/mu);
  });

  it('says of a check what is wrong and what to do, within the width', () => {
    const checks = [
      {
        name: 'database',
        bot_account_id: null,
        status: 'ok' as const,
        detail: 'answers in 2 ms',
        advice: null,
      },
      {
        name: 'token',
        bot_account_id: bot().id,
        status: 'failed' as const,
        detail: 'Twitch refuses the token, and the refresh token with it, since this morning',
        advice: 'Authorise the bot anew: menu "Bots", then "Authorise anew with a link"',
      },
    ];
    const lines = checkLines(checks, () => 'chatty', narrow, plain);
    expect(lines[0]).toBe('✔ database · answers in 2 ms');
    expect(lines[1]).toMatch(/^✗ chatty: token · Twitch refuses/u);
    expect(lines.join('\n')).toContain('    → Authorise the bot anew');
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(narrow);
  });

  it('gives a secret a line of its own, whole', () => {
    const value = 's'.repeat(70);
    const note = 'Copy it now, for it is shown once and never again to anybody.';
    const text = secretText({ title: 'New', fields: [['client_secret', value]], note }, 40, plain);
    expect(text.split('\n')).toContain(value);
    expect(text).toContain('Enter:');
  });

  it('wraps at words and leaves an address whole', () => {
    const address = 'https://id.twitch.tv/oauth2/authorize?client_id=abc';
    expect(wrap(`open ${address} now`, 20)).toEqual(['open', address, 'now']);
    expect(wrap('  a b c', 5)).toEqual(['  a b', '  c']);
    expect(wrap('\none', 10)).toEqual(['', 'one']);
    expect(wrap('\u001b[31mab\u001b[39m cd', 5)).toEqual(['\u001b[31mab\u001b[39m cd']);
  });

  it('offers only types that the catalogue has, live and over a WebSocket', () => {
    const usable = new Set(
      eventTypes.filter(({ websocket, status }) => websocket && status === 'live').map(({ type }) => type),
    );
    expect(usualTypes.map(([type]) => type).filter((type) => !usable.has(type))).toEqual([]);
    expect(typeList(' a.b, c.d;a.b\te.f ')).toEqual(['a.b', 'c.d', 'e.f']);
  });

  it('asks for what the relay cannot fill in', () => {
    const ask = (given: Partial<SubscriptionType>) => asksFor(subscriptionType('x', given));
    const place = 'broadcaster_user_id';
    expect(ask({ condition: [place], token_user: place })).toEqual({ channel: false, fields: [] });
    expect(ask({ condition: [place, 'user_id'], token_user: 'user_id' })).toEqual({
      channel: true,
      fields: [],
    });
    expect(ask({ optional_condition: [place] })).toEqual({ channel: true, fields: [] });
    expect(ask({ condition: ['user_id'] })).toEqual({ channel: false, fields: ['user_id'] });
    const ends = ['from_broadcaster_user_id', 'to_broadcaster_user_id'];
    expect(ask({ optional_condition: ends, exactly_one_of: ends })).toEqual({ channel: true, fields: [] });
  });

  it('finds types by pieces of their names', () => {
    const type = subscriptionType;
    const all = [
      type('channel.poll.begin'),
      type('channel.poll.end'),
      type('channel.poll.gone', { status: 'removed' }),
      type('drop.entitlement.grant', { websocket: false }),
    ];
    expect(matching(all, 'Poll end').map(({ name }) => name)).toEqual(['channel.poll.end v1']);
    expect(matching(all, '')).toHaveLength(2);
    expect(matching(all, 'poll')[0]?.description).toBe('needs a or b, and c');
  });
});
