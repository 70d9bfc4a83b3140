// The demo's own judgement: its flags, its books, and how it puts an event into words. A demo that counts wrongly would
// prove nothing.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { complaintsOf } from '../../scripts/demo/closing.ts';
import { consumerNames, Inbox, isOwed, resultOf, settle } from '../../scripts/demo/ledger.ts';
import type { Happening } from '../../scripts/demo/ledger.ts';
import { parseDuration, parseOptions } from '../../scripts/demo/options.ts';
import { Printer } from '../../scripts/demo/printer.ts';
import { DemoReceiver } from '../../scripts/demo/receiver.ts';
import { acts } from '../../scripts/demo/repertoire.ts';
import { summarise } from '../../scripts/demo/summary.ts';
import type { RelayEvent } from '../../src/client/index.ts';
import { signWebhook, webhookHeaders } from '../../src/protocol/webhook-signature.ts';
import { until } from '../support/until.ts';

const event = (id: string, more: Partial<RelayEvent> = {}): RelayEvent => ({
  id,
  cursor: `cursor-of-${id}`,
  provider: 'twitch',
  type: 'channel.follow',
  version: '2',
  event_timestamp: '',
  received_at: '',
  bot_account_id: null,
  topic_id: null,
  subscription: null,
  event: {},
  ...more,
});
const gap = (id: string, topicIds: string[], from: number, to: number): RelayEvent =>
  event(id, {
    provider: 'relay',
    type: 'relay.gap',
    event: {
      cause: 'upstream_reconnect',
      bot_account_id: null,
      topic_ids: topicIds,
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
    },
  });
const happening = (at: number, ids: string[], topicId = 't1'): Happening => ({ type: 'x', topicId, at, ids });

describe('flags', () => {
  it.each([
    ['500ms', 500],
    ['20s', 20_000],
    ['2m', 120_000],
    ['1.5s', 1_500],
    ['0s', undefined],
    ['20', undefined],
    ['-1s', undefined],
    ['1h', undefined],
    ['9999m', undefined],
  ])('reads the time %s', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it('has defaults, and says what is wrong', () => {
    expect(parseOptions([])).toEqual({ kind: 'run', options: { forMs: null, json: false, port: 0 } });
    expect(parseOptions(['--for', '2s', '--json', '--port', '8080'])).toEqual({
      kind: 'run',
      options: { forMs: 2_000, json: true, port: 8_080 },
    });
    expect(parseOptions(['--help']).kind).toBe('help');
    for (const argv of [
      ['--for', 'soon'],
      ['--port', '65536'],
      ['--port', 'http'],
      ['--nonsense'],
      ['surplus'],
    ]) {
      const parsed = parseOptions(argv);
      expect(parsed.kind === 'wrong' && parsed.message, argv.join(' ')).toMatch(/\w/u);
    }
  });
});

describe('books', () => {
  it('owes what was neither delivered nor told of, per topic and window', () => {
    const inbox = new Inbox();
    inbox.receive(event('a'), 1);
    inbox.receive(gap('g', ['t1'], 100, 200), 1);
    const within = happening(100, []);
    const before = happening(99, ['b']);
    const atTheEnd = happening(200, ['c']);
    const otherTopic = happening(150, ['d'], 't2');
    const { told, owed } = settle([happening(50, ['a']), within, before, atTheEnd, otherTopic], inbox);
    expect(told).toEqual([within]);
    expect(owed).toEqual([before, atTheEnd, otherTopic]);
  });

  it('takes any id of a happening for its delivery', () => {
    const inbox = new Inbox();
    inbox.receive(event('second'), 1);
    expect(settle([happening(1, ['first', 'second'])], inbox).owed).toEqual([]);
  });

  it('tells an announced redelivery from a duplicate', () => {
    const inbox = new Inbox();
    const receipts = [1, 2, 1].map((attempt) => inbox.receive(event('a'), attempt));
    expect(receipts).toEqual(['new', 'again', 'duplicate']);
    expect(inbox).toMatchObject({ delivered: 1, again: 1, duplicated: 1 });
  });

  it('adds up over all consumers, from what each one got', () => {
    const inboxes = { 'relay.v1': new Inbox(), plain: new Inbox(), webhook: new Inbox() };
    for (const id of ['a', 'b']) inboxes['relay.v1'].receive(event(id), 1);
    for (const id of ['a', 'a']) inboxes.plain.receive(event(id), 1);
    for (const attempt of [1, 2]) inboxes.webhook.receive(event('b'), attempt);
    const happenings = [happening(1, ['a']), happening(2, ['b']), happening(3, ['c'])];
    const books = { happenings, inboxes, webhookAttempts: 5, log: { events: 2, gaps: 0 }, reconnects: 4 };
    expect(isOwed(happenings, inboxes)).toBe(true);
    expect(resultOf(books)).toEqual({
      sent: 3,
      logged: 2,
      delivered: { 'relay.v1': 2, plain: 1, webhook: 1 },
      webhook_attempts: 5,
      lost: 5,
      duplicated: 1,
      gaps: 0,
      reconnects: 4,
    });
    const complaints = complaintsOf(books).join('\n');
    for (const name of consumerNames) expect(complaints).toContain(`${name} did not get`);
    expect(complaints).toContain('plain got 1 events twice');
  });

  it('owes nothing when each consumer has everything, and then has nothing to complain of', () => {
    const inboxes = { 'relay.v1': new Inbox(), plain: new Inbox(), webhook: new Inbox() };
    const happenings = [happening(1, ['a'])];
    for (const name of consumerNames) {
      expect(isOwed(happenings, inboxes), name).toBe(true);
      inboxes[name].receive(event('a'), 1);
    }
    expect(isOwed(happenings, inboxes)).toBe(false);
    const log = { events: 1, gaps: 0 };
    expect(complaintsOf({ happenings, inboxes, webhookAttempts: 1, log, reconnects: 0 })).toEqual([]);
  });
});

describe('the webhook receiver', () => {
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const told: string[] = [];
  let receiver: DemoReceiver;
  beforeEach(async () => {
    told.length = 0;
    receiver = await DemoReceiver.start({
      accepted: ({ id }, attempt) => void told.push(`accepted ${id} ${attempt}`),
      refused: ({ id }, attempt, status) => void told.push(`refused ${id} ${attempt} ${status}`),
      down: () => void told.push('down'),
      back: () => void told.push('back'),
      failed: (error) => void told.push(error instanceof Error ? error.name : 'failed'),
    });
  });
  afterEach(() => receiver.stop());

  const deliver = async (id: string, attempt = 1, signedWith = secret): Promise<number> => {
    const body = JSON.stringify(event(id));
    const timestamp = Math.floor(Date.now() / 1_000);
    const signed = await signWebhook({ secrets: [signedWith], id, timestamp, body });
    const headers = { ...signed, [webhookHeaders.attempt]: String(attempt) };
    return (await fetch(receiver.url, { method: 'POST', headers, body })).status;
  };

  it('lets the first requests wait for the secret, and accepts what is signed with it', async () => {
    const early = deliver('a');
    await until(() => receiver.requests === 1, { what: 'the request' });
    expect(told).toEqual([]);
    receiver.trust(secret);
    expect(await early).toBe(204);
    expect(told).toEqual(['accepted a 1']);
  });

  it('takes nothing that somebody else has signed', async () => {
    receiver.trust(secret);
    expect(await deliver('a', 1, `whsec_${Buffer.alloc(32, 8).toString('base64')}`)).toBe(401);
    expect(told).toEqual(['WebhookVerificationError']);
  });

  it('is down for at least one request', async () => {
    receiver.trust(secret);
    receiver.goDown(1);
    receiver.goDown(60_000);
    // Longer than it was to be down; it still owes a refusal.
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([await deliver('a'), await deliver('a', 2)]).toEqual([503, 204]);
    expect(told).toEqual(['down', 'refused a 1 503', 'back', 'accepted a 2']);
  });

  it('comes back before the relay would stop asking, and otherwise when the time is over', async () => {
    receiver.trust(secret);
    receiver.goDown(60_000);
    const statuses = [];
    for (const attempt of [1, 2, 3, 4]) statuses.push(await deliver('a', attempt));
    expect(statuses).toEqual([503, 503, 503, 204]);
    expect(receiver.requests).toBe(4);
    receiver.goDown(30);
    expect(await deliver('b')).toBe(503);
    await until(() => told.at(-1) === 'back', { what: 'the end of the outage' });
  });
});

describe('looks', () => {
  const printed = (
    terminal: { colour: boolean; columns: number | undefined },
    shown: RelayEvent,
    attempt = 1,
  ) => {
    let text = '';
    const write = (more: string) => void (text += more);
    const printer = new Printer({ write, colour: terminal.colour, columns: () => terminal.columns });
    printer.delivery('plain', shown, { attempt, receipt: 'new' });
    return text;
  };
  const chat = (text: string) =>
    event('x', { type: 'channel.chat.message', event: { chatter_user_name: 'Mira', message: { text } } });

  it('puts every event of the programme into words', () => {
    const pick = <T>(from: readonly [T, ...T[]]): T => from[0];
    for (const { type, fields } of acts)
      expect(summarise(event('x', { type, event: fields(pick) })), type).not.toBe('');
    expect(summarise(event('x', { type: 'something.new', event: null }))).toBe('');
  });

  it('lets nothing that was typed in chat reach the terminal as a command', () => {
    const shown = printed({ colour: false, columns: undefined }, chat('a\u001B[2Jb\r\nc\u2028d'));
    expect(shown.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Zl}]/u);
  });

  it('fits the line into the terminal, and cuts no character in half', () => {
    const shown = printed({ colour: false, columns: 80 }, chat('👋'.repeat(200)));
    // Each of them takes two columns, and two units of the string.
    expect(shown.trimEnd().length).toBeLessThanOrEqual(80);
    expect(shown).toContain('👋…');
    expect(shown).not.toMatch(/\p{Surrogate}/u);
  });

  it('fits a raised attempt into 80 columns, and breaks a tally between its parts', () => {
    const shown = printed({ colour: false, columns: 80 }, chat('a'.repeat(200)), 3);
    expect(shown).toContain('attempt 3');
    expect(shown.trimEnd().length).toBeLessThanOrEqual(80);
    const tally = (columns: number | undefined) => {
      let text = '';
      const printer = new Printer({
        write: (more) => void (text += more),
        colour: false,
        columns: () => columns,
      });
      printer.tally(Array.from({ length: 9 }, (_, index) => [`number${index}`, 1_000 + index] as const));
      return text.trimEnd().split('\n');
    };
    expect(tally(undefined)).toHaveLength(1);
    const lines = tally(80);
    expect(lines.every((line) => line.length <= 80)).toBe(true);
    expect(lines.join(' ').match(/number\d 100\d/gu)).toHaveLength(9);
    expect(lines).toHaveLength(2);
  });

  it('colours only where it was asked to, and always shows a raised attempt', () => {
    expect(printed({ colour: false, columns: undefined }, chat('hi'), 3)).toMatch(/Mira: hi .*attempt 3\n$/u);
    expect(printed({ colour: true, columns: undefined }, chat('hi'))).toContain('\u001B[');
  });
});
