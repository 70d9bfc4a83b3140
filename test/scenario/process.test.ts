// The relay as a process: what it says when it cannot start, how it ends, and what a SIGKILL costs.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startSimulator, type Simulator } from '../simulator/index.ts';
import { connectConsumer } from '../support/consumer.ts';
import { testDatabase, type TestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';

const entry = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const tsx = import.meta.resolve('tsx');
const adminKey = 'process-test-admin-key';

interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
}

const running: ChildProcess[] = [];

function run(args: readonly string[], options: { cwd: string; env?: Record<string, string> }): Run {
  const child = spawn(process.execPath, ['--import', tsx, entry, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env['PATH'] ?? '', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, output: () => output, ended };
}

let cwd: string;
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'relay-process-'));
});
afterEach(async () => {
  for (const child of running.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  await rm(cwd, { recursive: true, force: true });
});

describe('a start that cannot be', () => {
  it('without .env says exactly that, and what to do', { timeout: 30_000 }, async () => {
    const { ended, output } = run(['serve'], { cwd });
    expect(await ended).toBe(1);
    expect(output()).toContain('There is no');
    expect(output()).toContain('.env');
    expect(output()).toContain('cp .env.example .env');
    for (const name of [
      'ADMIN_API_KEY',
      'TOKEN_ENCRYPTION_KEY',
      'TWITCH_CLIENT_ID',
      'TWITCH_CLIENT_SECRET',
    ]) {
      expect(output()).toContain(name);
    }
  });

  it('with a wrong .env names every variable at once, and no secret', { timeout: 30_000 }, async () => {
    await writeFile(
      join(cwd, '.env'),
      'ADMIN_API_KEY=tooshort\nTOKEN_ENCRYPTION_KEY=hunter2hunter2\nPORT=99999\nTWITCH_CLIENT_ID=x\nTWITCH_CLIENT_SECRET=y\n',
    );
    const { ended, output } = run(['serve'], { cwd });
    expect(await ended).toBe(1);
    for (const name of ['ADMIN_API_KEY', 'TOKEN_ENCRYPTION_KEY', 'PORT']) expect(output()).toContain(name);
    expect(output()).toContain('99999');
    expect(output()).not.toContain('hunter2');
    expect(output()).not.toContain('tooshort');
  });

  it('tells an unknown command from a known one', { timeout: 30_000 }, async () => {
    const { ended, output } = run(['serv'], { cwd });
    expect(await ended).toBe(2);
    expect(output()).toContain('There is no command "serv"');
  });
});

describe('a relay that runs', () => {
  let sim: Simulator;
  let place: TestDatabase;
  beforeEach(async () => {
    sim = await startSimulator();
    place = await testDatabase();
  });
  afterEach(async () => {
    for (const child of running) if (child.exitCode === null) child.kill('SIGKILL');
    await sim.close();
    await place[Symbol.asyncDispose]();
  });

  const environment = () => ({
    ADMIN_API_KEY: adminKey,
    TOKEN_ENCRYPTION_KEY: 'ab'.repeat(32),
    TWITCH_CLIENT_ID: sim.clientId,
    TWITCH_CLIENT_SECRET: sim.clientSecret,
    TWITCH_EVENTSUB_URL: sim.eventSubUrl,
    TWURPLE_MOCK_API_PORT: String(sim.port),
    DATA_DIR: place.dataDir,
    PORT: '0',
    ...(place.databaseUrl ? { DATABASE_URL: place.databaseUrl } : {}),
  });
  const start = async () => {
    const relay = run(['serve'], { cwd, env: environment() });
    const url = await until(() => /"url":"(http[^"]+)"/.exec(relay.output())?.[1], {
      what: 'the relay',
      timeoutMs: 20_000,
    });
    return { ...relay, url };
  };
  const post = async (url: string, body: unknown, headers: Record<string, string>) => {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await response.json()) as Record<string, string>;
  };

  it(
    'ends on SIGTERM with 0; killed, it loses nothing that was logged and declares the rest',
    { timeout: 60_000 },
    async () => {
      const first = await start();
      const user = sim.addUser({ login: 'killbot' });
      const grant = sim.grant({ userId: user.id, scopes: ['moderator:read:followers'] });
      const admin = { 'X-Admin-Key': adminKey };
      const bot = await post(`${first.url}/v1/admin/bots/import`, { access_token: grant.accessToken }, admin);
      const account = await post(`${first.url}/v1/admin/service-accounts?name=s`, undefined, admin);
      const service = { clientId: account['client_id'] ?? '', clientSecret: account['client_secret'] ?? '' };
      const headers = { 'X-Client-Id': service.clientId, 'X-Client-Secret': service.clientSecret };
      const wish = {
        bot_account_id: bot['id'],
        event_type: 'channel.follow',
        broadcaster_user_id: user.id,
        transport: 'websocket',
      };
      const interest = await post(`${first.url}/v1/interests?wait=10`, wish, headers);
      expect(interest['state']).toBe('active');
      const follow = () => sim.send('channel.follow', { broadcaster_user_id: user.id });

      const seen = await connectConsumer(first.url, service, 'relay.v1', { ack: false });
      const logged = Array.from({ length: 20 }, follow).flatMap((each) =>
        each.map(({ messageId }) => messageId),
      );
      await seen.got(20);
      first.child.kill('SIGKILL');
      await first.ended;
      await seen.closed;
      const missed = follow();
      expect(missed.every((each) => !each.delivered)).toBe(true);

      const second = await start();
      await until(async () => (await fetch(`${second.url}/ready`)).status === 200, { what: 'ready' });
      const again = await connectConsumer(second.url, service, 'relay.v1');
      expect(await again.got(20)).toEqual(logged);
      // After an unclean end everything may have been sent before: never a repetition that is not marked.
      expect(
        again.eventFrames
          .filter((frame) => logged.includes(frame.event.id))
          .every((frame) => frame.attempt > 1),
      ).toBe(true);
      const gap = await again.gotType('relay.gap', { cause: 'restart' });
      const { from, to } = gap.event as { from: string; to: string };
      for (const each of missed) {
        expect(each.sentAt).toBeGreaterThanOrEqual(Date.parse(from));
        expect(each.sentAt).toBeLessThanOrEqual(Date.parse(to));
      }
      // Only what was missing was created, and what the dead process left is gone.
      expect(sim.subscriptions().filter((each) => each.status === 'enabled' && !each.zombie)).toHaveLength(1);
      second.child.kill('SIGTERM');
      expect(await second.ended).toBe(0);
      expect((await again.closed).code).toBe(1012);
      await until(() => sim.sessions().every((each) => !each.open), { what: 'the upstream socket to close' });
    },
  );

  it(
    'ends in good order, whoever does not read or does not finish; a second signal ends it at once',
    { timeout: 30_000 },
    async () => {
      const relay = await start();
      const admin = { 'X-Admin-Key': adminKey };
      const account = await post(`${relay.url}/v1/admin/service-accounts?name=s`, undefined, admin);
      const service = { clientId: account['client_id'] ?? '', clientSecret: account['client_secret'] ?? '' };
      const deaf = await connectConsumer(relay.url, service, 'relay.v1');
      deaf.ws.pause();
      const halfWay = connect(Number(new URL(relay.url).port), '127.0.0.1');
      halfWay.on('error', () => undefined);
      halfWay.write('POST /v1/ws-token HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc');
      relay.child.kill('SIGTERM');
      expect(await relay.ended).toBe(0);
      expect(relay.output()).not.toContain('took too long');
      deaf.ws.terminate();
      halfWay.destroy();

      const hasty = await start();
      const unread = await connectConsumer(hasty.url, service, 'relay.v1');
      unread.ws.pause();
      hasty.child.kill('SIGTERM');
      await until(() => hasty.output().includes('"stopping"'), { what: 'the stop' });
      hasty.child.kill('SIGINT');
      expect(await hasty.ended).toBe(null);
      expect(hasty.child.signalCode).toBe('SIGINT');
      unread.ws.terminate();
    },
  );
});
