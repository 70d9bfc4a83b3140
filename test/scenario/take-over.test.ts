// Two relays on one database: one stands by beside the other and goes on where that one ends, by request or by SIGKILL.
// Everything here that needs two of them needs a PostgreSQL server.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startDaemon } from '../../src/daemon.ts';
import { loadConfig } from '../../src/config/config.ts';
import type { RelayEvent } from '../../src/protocol/event.ts';
import { Receiver } from '../support/receiver.ts';
import { testDatabaseUrl } from '../support/test-database.ts';
import { until } from '../support/until.ts';
import { worlds, type Bot, type Service, type World, type WorldOptions } from '../support/world.ts';

const place = worlds();
beforeAll(() => place.open());
afterAll(() => place.close());

/** With a keepalive so short that what is covered is known at any moment. */
const create = (options: Omit<WorldOptions, 'database'> = {}): Promise<World> =>
  place.create({ ...options, simulator: { keepaliveSeconds: 0.3, ...options.simulator } });

interface Happening {
  readonly user_id: string;
}
interface Raid {
  readonly from_broadcaster_user_id: string;
}
const idOf = (event: RelayEvent) => (event.event as unknown as Happening).user_id;
const followsIn = (events: readonly RelayEvent[]) =>
  events.filter(({ type }) => type === 'channel.follow').map(idOf);

/** Follows, one after another and each different, until it is stopped. */
function load(world: World, channels: readonly string[], everyMs = 4) {
  const happened = new Map<string, string[]>(channels.map((id) => [id, []]));
  let count = 0;
  const once = () => {
    const channel = channels[count % channels.length] ?? '';
    const userId = String(1_000_000 + count++);
    world.sim.send('channel.follow', { broadcaster_user_id: channel }, { user_id: userId });
    happened.get(channel)?.push(userId);
  };
  const timer = setInterval(once, everyMs);
  return {
    happened,
    get count() {
      return count;
    },
    reach: (more: number) => {
      const goal = count + more;
      return until(() => count >= goal, { what: `${more} more happenings` });
    },
    stop: () => clearInterval(timer),
  };
}

const line = (world: World, text: RegExp, from = 0) => world.logs.slice(from).some((each) => text.test(each));
const covers = (world: World, topics: number, from = 0) =>
  until(() => line(world, new RegExp(`stands by: ${topics} of ${topics} topics`), from), {
    what: `${topics} topics to be covered`,
    timeoutMs: 20_000,
  });

/** Starts one beside the world's, which has stopped as its process would when this resolves. */
async function takeOver(world: World, env: Record<string, string> = {}): Promise<void> {
  const old = world.daemon;
  const stopped = old.superseded.then(async (why) => {
    expect(why).toBe('asked');
    await old.stop();
  });
  const next = await world.beside({ role: 'take-over' }, env);
  await stopped;
  world.adopt(next);
}

function startStandBy(world: World) {
  const stop = new AbortController();
  const active = world.beside({ role: 'stand-by', signal: stop.signal });
  active.catch(() => undefined);
  return {
    active,
    async stop() {
      stop.abort();
      await expect(active).rejects.toMatchObject({ code: 'stopping' });
    },
  };
}

async function follows(
  world: World,
  channels: number,
): Promise<{ bot: Bot; service: Service; ids: string[] }> {
  const bot = await world.addBot();
  const service = await world.addService();
  const ids: string[] = [];
  for (let index = 0; index < channels; index++) {
    const { id } = world.addBroadcaster();
    ids.push(id);
    await world.addInterest(service, bot, 'channel.follow', id, {
      condition: { moderator_user_id: bot.user.id },
    });
  }
  await world.ready();
  return { bot, service, ids };
}

/** Every happening once, in the order of its channel, and nothing said to be missing. */
async function expectWhole(world: World, service: Service, happened: Map<string, string[]>): Promise<void> {
  const total = [...happened.values()].flat();
  const events = await until(
    async () => {
      const log = await world.log(service);
      return followsIn(log).length >= total.length ? log : undefined;
    },
    { what: `${total.length} events in the log`, timeoutMs: 15_000 },
  );
  expect(world.gaps(events)).toEqual([]);
  for (const [channel, expected] of happened) {
    const seen = events
      .filter((event) => (event.event as { broadcaster_user_id?: string }).broadcaster_user_id === channel)
      .filter(({ type }) => type === 'channel.follow')
      .map(idOf);
    expect(seen).toEqual(expected);
  }
}

describe('on the embedded database', () => {
  it.each(['stand-by', 'take-over'] as const)(
    '--%s is refused, with the reason and what to do',
    async (role) => {
      const folder = await mkdtemp(join(tmpdir(), 'relay-take-over-'));
      const loaded = loadConfig({
        ADMIN_API_KEY: 'test-admin-key-0123456789',
        TOKEN_ENCRYPTION_KEY: 'ab'.repeat(32),
        TWITCH_CLIENT_ID: 'a',
        TWITCH_CLIENT_SECRET: 'b',
        DATA_DIR: folder,
        PORT: '0',
      });
      if (!loaded.ok) throw new Error('the configuration is not complete');
      const logTo = { write: () => undefined };
      await expect(startDaemon(loaded.config, { logTo }, { role })).rejects.toMatchObject({
        code: 'stand_by_needs_postgres',
        message: expect.stringMatching(/embedded database serves one process.*declared as a gap/s) as string,
      });
      await rm(folder, { recursive: true, force: true });
    },
  );
});

describe.skipIf(!testDatabaseUrl())('on PostgreSQL (TEST_DATABASE_URL)', { timeout: 180_000 }, () => {
  it('a take-over under load loses nothing, repeats nothing and declares no gap', async () => {
    await using world = await create();
    const { bot, service, ids } = await follows(world, 3);
    const [channel = ''] = ids;
    await using receiver = await Receiver.start();
    const hooked = await world.addService();
    await world.addWebhook(hooked, bot, 'channel.raid', receiver);
    const first = await world.consumer(service, 'relay.v1', { query: { consumer: 'one' } });
    const plain = await world.consumer(service, 'plain');
    const running = load(world, ids);
    const raids: string[] = [];
    const raid = () => {
      const userId = String(5_000_000 + raids.length);
      world.sim.send('channel.raid', {}, { from_broadcaster_user_id: userId });
      raids.push(userId);
    };
    const raiding = setInterval(raid, 40);
    await running.reach(100);
    await takeOver(world, { PORT: new URL(world.url).port });
    expect((await first.closed).code).toBe(1012);
    await plain.closed;
    const again = await world.consumer(service, 'relay.v1', { query: { consumer: 'one' } });
    const plainAgain = await world.consumer(service, 'plain');
    await running.reach(100);
    running.stop();
    clearInterval(raiding);
    await expectWhole(world, service, running.happened);
    const all = [...running.happened.values()].flat();
    const got = () => [
      ...new Map([...first.events, ...again.events].map((each) => [each.id, each])).values(),
    ];
    await until(() => followsIn(got()).length >= all.length, { what: 'the consumer to have all' });
    expect(followsIn(got()).toSorted()).toEqual(all.toSorted());
    const ofChannel = got().filter(
      (event) => (event.event as { broadcaster_user_id?: string }).broadcaster_user_id === channel,
    );
    expect(followsIn(ofChannel)).toEqual(running.happened.get(channel));
    const byPlain = followsIn([...plain.events, ...plainAgain.events]);
    expect(new Set(byPlain).size).toBe(byPlain.length);
    const raidsSent = () => {
      const byId = new Map(receiver.requests.map(({ id, event }) => [id, event]));
      return [...byId.values()]
        .filter(({ type }) => type === 'channel.raid')
        .map(({ event }) => (event as unknown as Raid).from_broadcaster_user_id);
    };
    await until(() => raidsSent().length >= raids.length, { what: 'the webhook to have all' });
    expect(raidsSent()).toEqual(raids);
    // Some were seen by both, under two ids, and are in the log once.
    expect(line(world, /"repeated":[1-9]/)).toBe(true);
    await world.subscribed(bot, 4);
  });

  it('a SIGKILL with a stand-by beside it loses nothing and declares no gap', async () => {
    await using world = await create();
    const { bot, service, ids } = await follows(world, 2);
    await world.stop();
    const active = await startProcess(world);
    const before = await gapsSoFar(await active.url(), service);
    const running = load(world, ids);
    const standing = startStandBy(world);
    await covers(world, 2);
    await running.reach(100);
    active.child.kill('SIGKILL');
    await running.reach(100);
    world.adopt(await standing.active);
    await running.reach(50);
    running.stop();
    const events = await until(
      async () => {
        const log = await world.log(service);
        return followsIn(log).length >= running.count ? log : undefined;
      },
      { what: 'all in the log', timeoutMs: 15_000 },
    );
    expect(world.gaps(events)).toHaveLength(before);
    const all = [...running.happened.values()].flat();
    expect(followsIn(events).toSorted()).toEqual(all.toSorted());
    await world.ready();
    await world.subscribed(bot, 2);
  });

  it('where Twitch gives no topic twice, a gap is declared, and nothing was disturbed until then', async () => {
    await using world = await create({ simulator: { conflictScope: 'user' } });
    const { bot, service, ids } = await follows(world, 2);
    const removed = world.requests('delete').length;
    const mine = world.sim.subscriptions().map(({ id }) => id);
    const standing = startStandBy(world);
    await until(() => line(world, /stands by: 0 of 2 topics/), { what: 'the stand-by to be told no' });
    const running = load(world, ids);
    await running.reach(100);
    running.stop();
    await expectWhole(world, service, running.happened);
    expect(world.requests('delete')).toHaveLength(removed);
    expect(
      world.sim
        .subscriptions()
        .filter(({ status }) => status === 'enabled')
        .map(({ id }) => id),
    ).toEqual(mine);
    await world.stop();
    world.adopt(await standing.active);
    await world.ready();
    await world.subscribed(bot, 2);
    const gaps = await until(async () => {
      const found = world.gaps(await world.log(service));
      // Together or one by one, as they were had again.
      return new Set(found.flatMap(({ topic_ids }) => topic_ids)).size === 2 ? found : undefined;
    });
    expect(new Set(gaps.map(({ cause }) => cause))).toEqual(new Set(['restart']));
  });

  it('a topic that costs too much twice falls back, alone; the active relay keeps its room', async () => {
    await using world = await create({ simulator: { maxTotalCost: 3 } });
    const { bot, service } = await follows(world, 1);
    const strangers = [world.addBroadcaster(false), world.addBroadcaster(false)];
    for (const { id } of strangers) await world.addInterest(service, bot, 'stream.online', id);
    const standing = startStandBy(world);
    await until(() => line(world, /stands by: 2 of 3 topics/), { what: 'two of three', timeoutMs: 20_000 });
    // The third place is the stand-by's; it gives it back to one that the active relay is asked for.
    const third = await world.addInterest(service, bot, 'stream.online', world.addBroadcaster(false).id, {
      wait: 0,
    });
    await until(
      async () => {
        const { body } = await world.call<{ state: string }>('GET', `/v1/interests/${third.id}`, {
          as: service,
        });
        return body.state === 'active';
      },
      { what: 'the new topic to be active', timeoutMs: 20_000 },
    );
    await standing.stop();
    await world.ready();
    expect(world.gaps(await world.log(service))).toEqual([]);
  });

  it('follows what is wished for meanwhile; stopped again, it leaves the active relay as it was', async () => {
    await using world = await create();
    const { bot, service, ids } = await follows(world, 1);
    const standing = startStandBy(world);
    await covers(world, 1);
    const added = await world.addInterest(service, bot, 'channel.raid');
    await covers(world, 2);
    await world.subscribed(bot, 4);
    const from = world.logs.length;
    await world.call('DELETE', `/v1/interests/${added.id}`, { as: service });
    await covers(world, 1, from);
    await world.subscribed(bot, 2);
    const running = load(world, ids);
    await running.reach(50);
    await standing.stop();
    await running.reach(50);
    running.stop();
    await expectWhole(world, service, running.happened);
    await world.subscribed(bot, 1);
    await world.ready();
  });

  it('as processes: the old one ends with 0, as does one that is told to stop while it stands by', async () => {
    await using world = await create();
    const { service, ids } = await follows(world, 1);
    await world.stop();
    const old = await startProcess(world);
    const before = await gapsSoFar(await old.url(), service);
    const running = load(world, ids, 40);
    const next = await startProcess(world, '--take-over');
    const url = await next.url();
    expect(await old.ended).toBe(0);
    expect(old.output()).toContain('another relay takes over');
    const third = await startProcess(world, '--stand-by');
    await until(() => third.output().includes('stands by: 1 of 1'), { what: 'the third', timeoutMs: 90_000 });
    third.child.kill('SIGTERM');
    expect(await third.ended).toBe(0);
    running.stop();
    const expected = running.happened.get(ids[0] ?? '') ?? [];
    const last = expected.at(-1) ?? '';
    const events = await until(
      async () => {
        const log = await eventsAt(url, service);
        return followsIn(log).includes(last) ? log : undefined;
      },
      { what: 'the last in the log', timeoutMs: 60_000 },
    );
    expect(followsIn(events)).toEqual(expected);
    expect(world.gaps(events)).toHaveLength(before);
  });

  it('a second relay without a word is refused, and the first goes on', async () => {
    await using world = await create();
    await expect(world.beside({})).rejects.toMatchObject({
      code: 'database_owned',
      message: expect.stringContaining('--take-over') as string,
    });
    await world.ready();
  });

  it('a connection that breaks costs nothing; whoever finds the place taken then stops', async () => {
    await using world = await create();
    const { service, ids } = await follows(world, 1);
    const { pool } = world.database;
    const kill = () =>
      pool.query(
        `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name LIKE 'eventsub-relay owner%'`,
      );
    await kill();
    await until(() => line(world, /the database is held again/), { what: 'the lock to be taken again' });
    const running = load(world, ids);
    await running.reach(20);
    running.stop();
    await expectWhole(world, service, running.happened);
    // Between the end of the connection and its return somebody else is quicker.
    const thief = new pg.Client(world.database.connection);
    await thief.connect();
    const stolen = thief.query('SELECT pg_advisory_lock($1)', [0x6f776e6572]);
    await until(async () => {
      const { rows } = await pool.query("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
      return rows.length > 0;
    });
    await kill();
    await stolen;
    expect(await world.daemon.superseded).toBe('lost');
    await thief.end();
  });
});

/** The relay of the world as a process of its own, on the same database. */
async function startProcess(world: World, ...options: string[]): Promise<RelayProcess> {
  const entry = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
  const folder = await mkdtemp(join(tmpdir(), 'relay-take-over-'));
  const child = spawn(
    process.execPath,
    ['--import', import.meta.resolve('tsx'), entry, 'serve', ...options],
    {
      cwd: folder,
      env: { PATH: process.env['PATH'] ?? '', ...world.env(), PORT: '0' },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  processes.push({ child, folder });
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const url = async () => {
    const told = await until(() => /"url":"(http[^"]+)"/.exec(output)?.[1], {
      what: 'the process to take requests',
      timeoutMs: 90_000,
    });
    const isReady = async () => (await fetch(`${told}/ready`)).status === 200;
    await until(isReady, { what: 'the process to be ready', timeoutMs: 60_000 });
    return told;
  };
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, url, ended, output: () => output };
}

interface RelayProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  /** Once it is ready. */
  url(): Promise<string>;
  output(): string;
}

const processes: { child: ChildProcess; folder: string }[] = [];
afterEach(async () => {
  for (const { child, folder } of processes.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    await rm(folder, { recursive: true, force: true });
  }
});

async function eventsAt(url: string, { clientId, clientSecret }: Service): Promise<RelayEvent[]> {
  const headers = { 'X-Client-Id': clientId, 'X-Client-Secret': clientSecret };
  const found: RelayEvent[] = [];
  for (let after = ''; ;) {
    const answer = await fetch(`${url}/v1/events?limit=1000${after}`, { headers });
    const page = (await answer.json()) as { events: RelayEvent[]; next: string };
    found.push(...page.events);
    // A page may be short of what was asked for; an empty one is the end.
    if (page.events.length === 0) return found;
    after = `&after=${page.next}`;
  }
}

/** A start without an overlap has declared its own. */
const gapsSoFar = (url: string, service: Service): Promise<number> =>
  until(
    async () => (await eventsAt(url, service)).filter(({ type }) => type === 'relay.gap').length || undefined,
    { what: 'the gap of the restart' },
  );
