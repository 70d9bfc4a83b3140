// The decisions of the command line one by one: who is meant, with what right, what a failure means, what a line says.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveConnection, type ConnectionOptions } from '../../src/cli/connection.ts';
import { clockFinding } from '../../src/cli/doctor/remote.ts';
import { localConfiguration, openTransport } from '../../src/cli/doctor/local.ts';
import { eventLine } from '../../src/cli/event-line.ts';
import { CliFailure, describeFailure } from '../../src/cli/failure.ts';
import type { CliIo } from '../../src/cli/io.ts';
import { pick } from '../../src/cli/pick.ts';
import { parseToken } from '../../src/cli/read-token.ts';
import { styleFor } from '../../src/cli/style.ts';
import {
  RelayApiError,
  RelayClosedError,
  RelayProtocolError,
  type RelayEvent,
} from '../../src/client/index.ts';
import { startCli } from '../support/cli.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { until } from '../support/until.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-cli-'));
  await writeFile(join(folder, '.env'), 'ADMIN_API_KEY=key-of-the-file\nPORT=9123\n');
  await writeFile(join(folder, 'key.txt'), 'key-of-a-file\n');
  await writeFile(join(folder, 'two.txt'), 'two words\n');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What the connection comes to; only these parts of the process are asked for. */
async function connectionOf(
  options: ConnectionOptions,
  {
    env = {},
    cwd = import.meta.dirname,
    stdin = '',
  }: Partial<Pick<CliIo, 'env' | 'cwd'>> & { stdin?: string } = {},
) {
  const io = { env, cwd, stdin: { isTTY: false, text: () => Promise.resolve(stdin) } };
  return resolveConnection(io as unknown as CliIo, options).catch((error: unknown) => error);
}

describe('the connection', () => {
  it('comes from options before the environment before .env', async () => {
    const cwd = folder;
    expect(await connectionOf({}, { cwd })).toMatchObject({
      url: 'http://127.0.0.1:9123',
      adminKey: 'key-of-the-file',
      service: undefined,
    });
    const env = { RELAY_URL: 'https://relay.example.org/base/', ADMIN_API_KEY: 'key-of-the-environment' };
    expect(await connectionOf({}, { cwd, env })).toMatchObject({
      url: 'https://relay.example.org/base',
      adminKey: 'key-of-the-environment',
    });
    const options = { url: 'http://10.0.0.1:1', adminKey: 'given', clientId: 'a', clientSecret: 'b' };
    expect(await connectionOf(options, { cwd, env })).toEqual({
      url: 'http://10.0.0.1:1',
      adminKey: 'given',
      service: { clientId: 'a', clientSecret: 'b' },
    });
  });

  it('has defaults, and takes PORT=0 for no port', async () => {
    expect(await connectionOf({})).toEqual({
      url: 'http://127.0.0.1:8080',
      adminKey: undefined,
      service: undefined,
    });
    expect(await connectionOf({}, { env: { PORT: '0' } })).toMatchObject({ url: 'http://127.0.0.1:8080' });
  });

  it('reads secrets from files and the standard input', async () => {
    expect(await connectionOf({ adminKeyFile: 'key.txt' }, { cwd: folder })).toMatchObject({
      adminKey: 'key-of-a-file',
    });
    expect(await connectionOf({ adminKeyFile: '-' }, { stdin: 'key-of-stdin\n' })).toMatchObject({
      adminKey: 'key-of-stdin',
    });
    const both = { clientSecretFile: '-', clientId: 'a' };
    expect(await connectionOf(both, { stdin: 'of-stdin' })).toMatchObject({
      service: { clientId: 'a', clientSecret: 'of-stdin' },
    });
  });

  it.each<[string, ConnectionOptions, string]>([
    ['an address without scheme', { url: 'localhost:8080' }, ''],
    ['credentials in the address', { url: 'http://me:hunter2@x' }, 'hunter2'],
    ['a file that is not there', { adminKeyFile: 'none.txt' }, ''],
    ['a file with more than the secret', { adminKeyFile: 'two.txt' }, 'two words'],
    ['an empty standard input', { adminKeyFile: '-' }, ''],
    ['one input for two secrets', { adminKeyFile: '-', clientSecretFile: '-' }, ''],
    ['a key that no header can carry', { adminKey: 'hünter2' }, 'hünter2'],
  ])('refuses %s as a wrong command line, without repeating it', async (_, options, secret) => {
    const error = await connectionOf(options, { cwd: folder });
    expect(error).toBeInstanceOf(CliFailure);
    expect(error).toMatchObject({ exit: 'usage' });
    if (secret) expect(String(error) + JSON.stringify(error)).not.toContain(secret);
  });
});

describe('a failure', () => {
  const api = (status: number, code: string, more: { cause?: unknown; retryAfterMs?: number } = {}) =>
    new RelayApiError('GET /x', { status, code, detail: 'the detail', ...more }, { cause: more.cause });
  const refused = Object.assign(new TypeError('fetch failed'), {
    cause: Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }),
  });
  it.each<[string, unknown, string, RegExp]>([
    ['our own', new CliFailure('usage', 'wrong', 'do this'), 'usage', /do this/],
    ['no answer', api(0, 'unreachable', { cause: refused }), 'unreachable', /nothing listens/],
    [
      'no answer for a strange reason',
      api(0, 'unreachable', { cause: new Error('hunter2') }),
      'unreachable',
      /^((?!hunter2).)*$/s,
    ],
    ['a wrong key', api(401, 'unauthorized'), 'unauthorized', /ADMIN_API_KEY/],
    ['a forbidden call', api(403, 'forbidden'), 'unauthorized', /the detail/],
    ['too many calls', api(429, 'slow_down', { retryAfterMs: 2_500 }), 'failed', /in 3 seconds/],
    ['a conflict', api(409, 'name_taken'), 'failed', /the detail/],
    ['another version', api(200, 'unexpected_answer'), 'failed', /same version/],
    ['a refused log-in', new RelayClosedError(4401, 'no', 'renew_credentials'), 'unauthorized', /SECRET/],
    ['a replaced consumer', new RelayClosedError(4409, 'no', 'stop'), 'failed', /--consumer/],
    ['an expired cursor', new RelayClosedError(4410, 'no', 'stop'), 'failed', /--on-expired/],
    ['another protocol', new RelayProtocolError('odd'), 'failed', /same version/],
    ['a wrong value', new TypeError('consumer: expected 1 to 64'), 'usage', /consumer/],
    ['anything else', 'text', 'failed', /text/],
  ])('that is %s ends with its code and says what to do', (_, error, exit, text) => {
    const failure = describeFailure(error, 'http://x');
    expect(failure.exit).toBe(exit);
    expect(`${failure.message}\n${failure.fix ?? ''}`).toMatch(text);
  });
});

it('tells of every call that takes long, once', async () => {
  const clock = new ShiftClock();
  let resolve: (answer: Response) => void = () => undefined;
  const answer = new Promise<Response>((settle) => {
    resolve = settle;
  });
  const run = startCli(['bots', 'show', 'x'], {
    tty: true,
    clock,
    env: { ADMIN_API_KEY: 'key', NO_COLOR: '1' },
    fetch: () => answer,
  });
  await until(() => clock.pending > 0, { what: 'the call' });
  await clock.advance(1_100);
  expect(run.stderr).toContain('waiting for the relay (1 s)');
  resolve(Response.json([]));
  expect(await run.ended).toBe(1);
  expect(clock.pending).toBe(0);
});

it('says a refusal of a field once', () => {
  const detail = 'Twitch knows no user "x"';
  const refused = (fields: string) =>
    new RelayApiError('POST /v1/interests', {
      status: 422,
      code: 'validation',
      detail,
      errors: [{ path: 'broadcaster_user_id', message: fields }],
    });
  expect(describeFailure(refused(detail)).message).toBe(detail);
  expect(describeFailure(refused('another')).message).toBe(`${detail}; broadcaster_user_id: another`);
});

describe('a name', () => {
  const things = [
    { id: '1111-aaaa', name: 'Main' },
    { id: '2222-bbbb', name: 'main', login: 'mainbot' },
    { id: '3333-cccc', name: 'Other', login: 'otherbot' },
    { id: '3333-dddd', name: 'twin' },
    { id: '5555-eeee', name: 'twin' },
  ];
  const find = (given: string) =>
    pick(things, given, 'bot', ({ id, name, login }) => ({
      id,
      name,
      ...(login ? { aliases: [login] } : {}),
    })).id;

  it.each([
    ['1111-aaaa', '1111-aaaa'],
    ['Main', '1111-aaaa'],
    ['main', '2222-bbbb'],
    ['OTHER', '3333-cccc'],
    ['OtherBot', '3333-cccc'],
    ['5555', '5555-eeee'],
  ])('%s is %s', (given, id) => expect(find(given)).toBe(id));

  it.each([
    ['MAIN', /more than one bot: Main \(1111-aaaa\), main \(2222-bbbb\)/],
    ['twin', /more than one bot: twin \(3333-dddd\), twin \(5555-eeee\)/],
    ['3333', /more than one bot/],
    ['otherbt', /no bot "otherbt".*nearest: otherbot/],
    ['555', /no bot "555"/],
  ])('%s is told with what it could be', (given, text) => {
    try {
      find(given);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(CliFailure);
      if (error instanceof CliFailure) expect(`${error.message} ${error.fix ?? ''}`).toMatch(text);
    }
  });

  it('is told when there is nothing at all', () => {
    expect(() => pick([], 'x', 'bot', () => ({ id: '', name: '' }))).toThrow(/no bot "x"/);
  });
});

describe('a token', () => {
  it.each([
    ['abc\n', { access_token: 'abc' }],
    ['oauth:abc\r\ndef\r\n', { access_token: 'abc', refresh_token: 'def' }],
    ['{"access_token":"abc","refresh_token":"def"}', { access_token: 'abc', refresh_token: 'def' }],
    ['{"access_token":"abc","refresh_token":null}', { access_token: 'abc' }],
  ])('is read from %j', (text, token) => expect(parseToken(text)).toEqual(token));

  it.each(['', '  \n', 'hunter2 b c', '{"access_token"hunter2', '{"token":"hunter2"}'])(
    'is not read from %j, which is not repeated',
    (text) => {
      expect(() => parseToken(text)).toThrow(CliFailure);
      expect(() => parseToken(text)).not.toThrow(/hunter2/);
    },
  );
});

describe("the relay's clock", () => {
  const at = Date.parse('Sat, 21 Nov 2026 03:00:00 GMT');
  it.each<[string | null, number, number, string[]]>([
    [null, at, at, []],
    ['nonsense', at, at, []],
    ['Sat, 21 Nov 2026 03:00:00 GMT', at, at + 900, ['ok']],
    ['Sat, 21 Nov 2026 03:00:00 GMT', at + 9_000, at + 9_200, ['ok']],
    ['Sat, 21 Nov 2026 03:00:00 GMT', at - 60_000, at - 59_900, ['warning']],
    ['Sat, 21 Nov 2026 03:00:00 GMT', at + 301_000, at + 301_000, ['failed']],
  ])('%s against %i is %j', (date, sent, got, status) => {
    expect(clockFinding(date, sent, got).map((each) => each.status)).toEqual(status);
  });
});

describe('this folder', () => {
  it('without .env has nothing wrong, with one everything that is', () => {
    expect(localConfiguration({ cwd: import.meta.dirname, env: {} })).toMatchObject([{ status: 'ok' }]);
    const findings = localConfiguration({ cwd: folder, env: { LOG_LEVEL: 'loud', RELAY_URL: 'x' } });
    expect(findings.every(({ status }) => status === 'failed')).toBe(true);
    expect(findings.map(({ detail }) => detail.split(':')[0])).toEqual(
      expect.arrayContaining(['TOKEN_ENCRYPTION_KEY', 'TWITCH_CLIENT_ID', 'LOG_LEVEL']),
    );
  });

  it.each([
    ['http://127.0.0.1:8080', 0],
    ['http://localhost:8080', 0],
    ['http://192.168.1.5', 0],
    ['http://relay:8080', 0],
    ['https://relay.example.org', 0],
    ['http://relay.example.org', 1],
    ['http://203.0.113.5:8080', 1],
  ])('%s gives %i warnings about plain http', (url, count) => {
    expect(openTransport({ url, adminKey: undefined, service: undefined })).toHaveLength(count);
  });
});

describe('an event as a line', () => {
  const base: RelayEvent = {
    id: 'x',
    cursor: 'c',
    provider: 'twitch',
    type: 'channel.chat.message',
    version: '1',
    event_timestamp: '',
    received_at: '2026-11-21T03:04:05.678Z',
    bot_account_id: null,
    topic_id: null,
    subscription: null,
    event: {
      broadcaster_user_login: 'channel',
      chatter_user_login: 'somebody',
      message: { text: 'hi\u001b[2J there' },
    },
  };
  const style = styleFor({ isTTY: false }, {});

  it('says when, what, where, who and what they said, and cannot redraw the screen', () => {
    expect(eventLine(base, { style, columns: undefined })).toBe(
      '03:04:05  channel.chat.message      #channel somebody: hi\\u001b[2J there',
    );
    expect(eventLine(base, { style, columns: 45 })).toHaveLength(44);
  });

  it.each<[Partial<RelayEvent>, string]>([
    [{ type: 'stream.online', event: { broadcaster_user_login: 'channel' } }, 'channel'],
    [{ provider: 'relay', type: 'relay.gap', event: { cause: 'restart' } }, 'restart'],
    [{ event: null }, 'channel.chat.message'],
    [{ event: 'text' }, 'channel.chat.message'],
  ])('of %j ends with %s', (more, end) => {
    expect(eventLine({ ...base, ...more }, { style, columns: undefined }).endsWith(end)).toBe(true);
  });
});

it('lets serve decide what it ends with', async () => {
  const run = startCli(['serve'], { serve: () => Promise.resolve(7) });
  expect(await run.ended).toBe(7);
});
