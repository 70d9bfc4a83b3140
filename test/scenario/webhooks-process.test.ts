// A relay that is killed with webhook deliveries under way: its successor sends everything that was not settled, and
// whatever it repeats carries a raised number.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startSimulator, type Simulator } from '../simulator/index.ts';
import { Receiver } from '../support/receiver.ts';
import { testDatabase, type TestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';

const entry = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const adminKey = 'process-test-admin-key';
const channels = 8;
const kills = 2;
const eventsPerLife = 80;

let sim: Simulator;
let place: TestDatabase;
const running: ChildProcess[] = [];
beforeEach(async () => {
  sim = await startSimulator();
  place = await testDatabase();
});
afterEach(async () => {
  for (const child of running.splice(0)) if (child.exitCode === null) child.kill('SIGKILL');
  await sim.close();
  await place[Symbol.asyncDispose]();
});

async function start() {
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), entry, 'serve'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      ADMIN_API_KEY: adminKey,
      TOKEN_ENCRYPTION_KEY: 'ab'.repeat(32),
      TWITCH_CLIENT_ID: sim.clientId,
      TWITCH_CLIENT_SECRET: sim.clientSecret,
      TWITCH_EVENTSUB_URL: sim.eventSubUrl,
      TWURPLE_MOCK_API_PORT: String(sim.port),
      WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8',
      DATA_DIR: place.dataDir,
      PORT: '0',
      ...(place.databaseUrl ? { DATABASE_URL: place.databaseUrl } : {}),
    },
    cwd: place.dataDir,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  running.push(child);
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const url = await until(() => /"url":"(http[^"]+)"/.exec(output)?.[1], {
    what: 'the relay',
    timeoutMs: 30_000,
  });
  await until(async () => (await fetch(`${url}/ready`)).status === 200, { what: 'ready', timeoutMs: 30_000 });
  return { child, url };
}

async function post<T>(url: string, headers: Record<string, string>, body?: object): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  expect(response.status).toBeLessThan(300);
  return (await response.json()) as T;
}

it('loses nothing and marks every repetition, however often it is killed', { timeout: 120_000 }, async () => {
  await using receiver = await Receiver.start();
  let relay = await start();
  const user = sim.addUser({ login: 'killbot' });
  const grant = sim.grant({ userId: user.id, scopes: ['moderator:read:followers'] });
  const admin = { 'X-Admin-Key': adminKey };
  const bot = await post<{ id: string }>(`${relay.url}/v1/admin/bots/import`, admin, {
    access_token: grant.accessToken,
  });
  const account = await post<{ client_id: string; client_secret: string }>(
    `${relay.url}/v1/admin/service-accounts?name=s`,
    admin,
  );
  const login = { 'X-Client-Id': account.client_id, 'X-Client-Secret': account.client_secret };
  const watched = Array.from({ length: channels }, (_, n) => sim.addUser({ login: `channel${n}` }));
  for (const { id } of watched) {
    sim.grant({ userId: id, scopes: [] });
    const wish = {
      bot_account_id: bot.id,
      event_type: 'channel.follow',
      broadcaster_user_id: id,
      transport: 'webhook',
      webhook_url: receiver.url(),
    };
    const made = await post<{ webhook_secret?: string }>(`${relay.url}/v1/interests?wait=10`, login, wish);
    if (made.webhook_secret) receiver.secrets.push(made.webhook_secret);
  }
  const logged: string[] = [];
  const send = (count: number) => {
    for (let n = 0; n < count; n++) {
      const sent = sim.send('channel.follow', { broadcaster_user_id: watched[n % channels]?.id ?? '' });
      logged.push(...sent.filter(({ delivered }) => delivered).map(({ messageId }) => messageId));
    }
  };
  for (let life = 1; life <= kills; life++) {
    // Slow enough that some are under way, some answered and some not yet sent when it dies; some fail into the retry set.
    // A second failure would be tried again in five minutes only.
    receiver.reply = async ({ attempt }, n) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      return n % 17 === 0 && attempt === 1 ? 500 : 204;
    };
    const before = receiver.accepted.length;
    send(eventsPerLife);
    await until(() => receiver.accepted.length >= before + eventsPerLife / 4, {
      what: 'some to be delivered',
    });
    relay.child.kill('SIGKILL');
    await once(relay.child, 'close');
    relay = await start();
  }
  receiver.reply = () => 204;
  // What Twitch sent and the relay had not committed when it died is declared as a gap; what it had committed is owed.
  const log = async () => {
    const ids: string[] = [];
    let after = '';
    for (;;) {
      const answer = await fetch(`${relay.url}/v1/events?limit=1000${after}`, { headers: login });
      const page = (await answer.json()) as { events: { id: string }[]; next: string };
      ids.push(...page.events.map(({ id }) => id));
      if (page.events.length < 1000) return ids;
      after = `&after=${page.next}`;
    }
  };
  await until(
    async () => {
      const accepted = new Set(receiver.accepted);
      return (await log()).every((id) => accepted.has(id));
    },
    { what: 'everything that was committed', timeoutMs: 60_000 },
  );
  expect(receiver.unmarked).toEqual([]);
  expect(receiver.requests.every(({ verified }) => verified)).toBe(true);
  const committed = new Set(await log());
  expect(logged.filter((id) => committed.has(id)).length).toBeGreaterThan((kills * eventsPerLife) / 4);
  const repeated = receiver.requests.length - receiver.ids.length;
  expect(repeated).toBeGreaterThan(0);
  relay.child.kill('SIGTERM');
  expect((await once(relay.child, 'close'))[0]).toBe(0);
});
