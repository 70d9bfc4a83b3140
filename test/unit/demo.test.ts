// The demo's own judgement: its flags, its books, and how it puts an event into words. A demo that counts wrongly would
// prove nothing.
import { describe, expect, it } from 'vitest';
import { Inbox, resultOf, settle } from '../../scripts/demo/ledger.ts';
import type { Happening } from '../../scripts/demo/ledger.ts';
import { parseDuration, parseOptions } from '../../scripts/demo/options.ts';
import { Printer } from '../../scripts/demo/printer.ts';
import { acts } from '../../scripts/demo/repertoire.ts';
import { summarise } from '../../scripts/demo/summary.ts';
import type { RelayEvent } from '../../src/client/index.ts';

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

  it('adds up over both consumers, from what each one got', () => {
    const relayV1 = new Inbox();
    const plain = new Inbox();
    for (const id of ['a', 'b']) relayV1.receive(event(id), 1);
    plain.receive(event('a'), 1);
    plain.receive(event('a'), 1);
    const happenings = [happening(1, ['a']), happening(2, ['b']), happening(3, ['c'])];
    const log = { events: 2, gaps: 0 };
    expect(resultOf({ happenings, relayV1, plain, log, reconnects: 4 })).toEqual({
      sent: 3,
      logged: 2,
      delivered: { 'relay.v1': 2, plain: 1 },
      lost: 3,
      duplicated: 1,
      gaps: 0,
      reconnects: 4,
    });
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

  it('colours only where it was asked to, and always shows a raised attempt', () => {
    expect(printed({ colour: false, columns: undefined }, chat('hi'), 3)).toMatch(/Mira: hi .*attempt 3\n$/u);
    expect(printed({ colour: true, columns: undefined }, chat('hi'))).toContain('\u001B[');
  });
});
