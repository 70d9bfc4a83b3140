// The command line against a whole relay: bots in three ways, services, interests, events with a restart, webhooks.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { RelayEvent } from '../../src/client/index.ts';
import { cli, startCli, type CliOptions, type CliRun } from '../support/cli.ts';
import { Receiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';
import { adminKey, allScopes, worlds, type Bot, type Service, type World } from '../support/world.ts';

const place = worlds();
let world: World;
let bot: Bot;
let service: Service;
let folder: string;
beforeAll(async () => {
  await place.open();
  world = await place.create();
  bot = await world.addBot('firstbot');
  service = await world.addService('overlay');
  folder = await mkdtemp(join(tmpdir(), 'relay-cli-'));
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await place.close();
  await rm(folder, { recursive: true, force: true });
});

const asAdmin = (options: CliOptions = {}): CliOptions => ({
  ...options,
  env: { RELAY_URL: world.url, ADMIN_API_KEY: adminKey, ...options.env },
});
const asService = (options: CliOptions = {}): CliOptions => ({
  ...options,
  env: {
    RELAY_URL: world.url,
    RELAY_CLIENT_ID: service.clientId,
    RELAY_CLIENT_SECRET: service.clientSecret,
    ...options.env,
  },
});
const run = (line: string, options?: CliOptions) => cli(line.split(' '), options);
const start = (line: string, options?: CliOptions) => startCli(line.split(' '), options);

/** The one document that --json gives. */
async function json<T>(line: string, schema: z.ZodType<T>, options?: CliOptions, code = 0): Promise<T> {
  const answer = await run(`${line} --json`, options);
  if (answer.code !== code) throw new Error(`${line}: ${answer.code}, ${answer.stderr}`);
  expect(answer.stdout.trimEnd().split('\n')).toHaveLength(1);
  return schema.parse(JSON.parse(answer.stdout));
}
const linesOf = ({ stdout }: { stdout: string }): unknown[] =>
  stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as unknown);
const named = z.looseObject({ name: z.string() });
const botDoc = z.looseObject({
  id: z.string(),
  name: z.string(),
  enabled: z.boolean(),
  scopes: z.array(z.string()),
});

describe('adding a bot', () => {
  it('by a link: prints it, waits, and says who came', { timeout: 20_000 }, async () => {
    const user = world.sim.addUser({ login: 'linkbot' });
    world.sim.signIn(user.id);
    const running = start('bots authorize --types channel.follow', asAdmin());
    const url = await until(() => /^http\S+/m.exec(running.stdout)?.[0], { what: 'the link' });
    expect(new URL(url).searchParams.get('scope')).toBe('moderator:read:followers');
    // What a browser does: to Twitch, and from there back to the relay.
    const page = await fetch(url);
    expect(page.status).toBe(200);
    expect(await running.ended).toBe(0);
    expect(running.stdout).toContain(
      '✓ linkbot (linkbot) is authorised with the scopes moderator:read:followers.',
    );
    const { scopes } = await json('bots show linkbot', botDoc, asAdmin());
    expect(scopes).toEqual(['moderator:read:followers']);
  });

  it(
    'by a link with --json: one line with the link, one with what came of it',
    { timeout: 20_000 },
    async () => {
      const user = world.sim.addUser({ login: 'jsonbot' });
      world.sim.signIn(user.id);
      const running = start('bots authorize --name json-bot --scopes bits:read --json', asAdmin());
      const link = await until(() => linesOf(running)[0], { what: 'the first line' });
      const { authorize_url: url } = z.looseObject({ authorize_url: z.string() }).parse(link);
      await fetch(url);
      expect(await running.ended).toBe(0);
      expect(linesOf(running)).toMatchObject([
        { state: 'pending', scopes: ['bits:read'] },
        { state: 'completed', bot: { name: 'json-bot', twitch_login: 'jsonbot' } },
      ]);
      expect(running.stderr).toBe('');
    },
  );

  it('says that the user said no', { timeout: 20_000 }, async () => {
    const user = world.sim.addUser({ login: 'nobot' });
    world.sim.signIn(user.id);
    world.sim.denyNextConsent();
    const link = await json(
      'bots authorize --no-wait',
      z.looseObject({ authorize_url: z.string() }),
      asAdmin(),
    );
    expect(link).toMatchObject({ state: 'pending' });
    const running = start('bots authorize', asAdmin());
    const url = await until(() => /^http\S+/m.exec(running.stdout)?.[0], { what: 'the link' });
    await fetch(url);
    expect(await running.ended).toBe(1);
    expect(running.stderr).toContain('✗ ');
    expect((await json('bots list', z.array(named), asAdmin())).map(({ name }) => name)).not.toContain(
      'nobot',
    );
  });

  it('by a code for another device', { timeout: 20_000 }, async () => {
    const user = world.sim.addUser({ login: 'devicebot' });
    const running = start('bots device --name tv', asAdmin());
    const code = await until(() => /^code +(\S+)$/m.exec(running.stdout)?.[1], { what: 'the code' });
    expect(running.stdout).toMatch(/^address +http\S+$/m);
    expect(world.sim.answerDevice(code, user.id)).toBe(true);
    await until(
      async () => {
        await world.clock.advance(6_000);
        return running.stdout.includes('✓');
      },
      { what: 'the end of the wait' },
    );
    expect(await running.ended).toBe(0);
    expect(running.stdout).toContain('tv (devicebot)');
  });

  it('by a token on the standard input, in the environment, and never in an argument', async () => {
    const user = world.sim.addUser({ login: 'tokenbot' });
    const grant = world.sim.grant({ userId: user.id, scopes: allScopes });
    const stdin = `${grant.accessToken}\n${grant.refreshToken}\n`;
    const first = await run('bots import --name imported', asAdmin({ stdin }));
    expect(first.code).toBe(0);
    expect(first.stdout).toMatch(/^name +imported$/m);
    const env = { BOT_TOKEN: grant.accessToken };
    const again = await json('bots add --by token --token-env BOT_TOKEN', botDoc, asAdmin({ env }));
    expect(again.name).toBe('imported');
    const wrong = await run('bots import', asAdmin({ stdin: 'notatokenofthissimulator' }));
    expect(wrong).toMatchObject({ code: 1, stdout: '' });
    const said = JSON.stringify([first, again, wrong, world.logs]);
    for (const secret of [grant.accessToken, grant.refreshToken, 'notatokenofthissimulator', adminKey]) {
      expect(said).not.toContain(secret);
    }
  });

  it('ends a wait with 130 on Ctrl-C', async () => {
    const running = start('bots authorize', asAdmin());
    await until(() => running.stdout.includes('http'), { what: 'the link' });
    running.interrupt();
    expect(await running.ended).toBe(130);
  });
});

describe('looking after bots', () => {
  it('lists them as a table and as JSON', async () => {
    const table = await run('bots list', asAdmin());
    expect(table.code).toBe(0);
    expect(table.stdout.split('\n')[0]).toMatch(/^NAME +LOGIN +STATE/);
    expect(table.stdout).toMatch(/^firstbot +firstbot +/m);
    expect((await json('bots list', z.array(named), asAdmin())).map(({ name }) => name)).toContain(
      'firstbot',
    );
  });

  it('finds one by name, login and the beginning of its id; tells the nearest otherwise', async () => {
    for (const word of ['firstbot', 'FIRSTBOT', bot.id, bot.id.slice(0, 13)]) {
      expect((await json(`bots show ${word}`, botDoc, asAdmin())).id).toBe(bot.id);
    }
    const unknown = await run('bots show fristbot', asAdmin());
    expect(unknown).toMatchObject({ code: 1, stdout: '' });
    expect(unknown.stderr).toContain('firstbot');
  });

  it('renames, disables, enables, refreshes', async () => {
    expect((await json('bots rename firstbot main', botDoc, asAdmin())).name).toBe('main');
    expect((await json('bots disable main', botDoc, asAdmin())).enabled).toBe(false);
    expect((await json('bots enable main', botDoc, asAdmin())).enabled).toBe(true);
    const from = world.sim.requests.length;
    expect((await run('bots refresh main', asAdmin())).code).toBe(0);
    expect(world.requests('token', from)).toHaveLength(1);
    expect((await json('bots rename main firstbot', botDoc, asAdmin())).name).toBe('firstbot');
  });

  it('removes one only when it was said twice', async () => {
    const gone = await world.addBot('gonebot');
    const asked = await run('bots remove gonebot', asAdmin());
    expect(asked).toMatchObject({ code: 2, stdout: '' });
    expect(asked.stderr).toContain('--yes');
    const no = start('bots remove gonebot', asAdmin({ tty: true }));
    await until(() => no.stderr.includes('Remove the bot'), { what: 'the question' });
    no.type('n\r');
    expect(await no.ended).toBe(1);
    expect((await run('bots show gonebot', asAdmin())).code).toBe(0);
    const yes = start('bots remove gonebot', asAdmin({ tty: true }));
    await until(() => yes.stderr.includes('Remove the bot'), { what: 'the question' });
    yes.type('y\r');
    expect(await yes.ended).toBe(0);
    expect((await run(`bots show ${gone.id}`, asAdmin())).code).toBe(1);
  });
});

describe('service accounts', () => {
  const created = z.object({ name: z.string(), client_id: z.string(), client_secret: z.string() });

  it('shows a secret once, with a word about it beside', async () => {
    const human = await run('services create shown', asAdmin());
    const secret = /^client_secret +(\S+)$/m.exec(human.stdout)?.[1] ?? '';
    expect(secret.length).toBeGreaterThan(30);
    expect(human.stderr).toContain('this once');
    expect(human.stderr).not.toContain(secret);
    const list = await run('services list', asAdmin());
    expect(list.stdout).toContain('shown');
    expect(list.stdout + JSON.stringify(world.logs)).not.toContain(secret);
    const made = await json('services create scripted', created, asAdmin());
    expect((await run('services create scripted', asAdmin())).code).toBe(1);
    const login = { RELAY_CLIENT_ID: made.client_id, RELAY_CLIENT_SECRET: made.client_secret };
    expect((await run('interests list', asService({ env: login }))).code).toBe(0);
    const again = await json(
      'services regenerate scripted --yes',
      z.looseObject({ client_secret: z.string() }),
      asAdmin(),
    );
    expect(again.client_secret).not.toBe(made.client_secret);
    const old = await run('interests list', asService({ env: login }));
    expect(old).toMatchObject({ code: 4, stdout: '' });
    expect(old.stderr).not.toContain(made.client_secret);
  });

  it('asks before a secret dies at once, and not when both go on for a while', async () => {
    expect((await run('services regenerate scripted', asAdmin())).code).toBe(2);
    expect((await run('services regenerate scripted --grace-seconds 60', asAdmin())).code).toBe(0);
  });

  it('disables, enables, restricts, removes', async () => {
    const doc = z.looseObject({
      enabled: z.boolean(),
      access_mode: z.string(),
      bot_account_ids: z.array(z.string()),
    });
    expect((await json('services disable scripted', doc, asAdmin())).enabled).toBe(false);
    expect((await json('services enable scripted', doc, asAdmin())).enabled).toBe(true);
    const restricted = await json('services access scripted --bot firstbot', doc, asAdmin());
    expect(restricted).toMatchObject({ access_mode: 'restricted', bot_account_ids: [bot.id] });
    expect((await run('services access scripted', asAdmin())).stdout).toBe(
      'scripted may use only firstbot.\n',
    );
    expect((await json('services access scripted --none', doc, asAdmin())).bot_account_ids).toEqual([]);
    expect((await run('services access scripted --all', asAdmin())).stdout).toBe(
      'scripted may use every bot.\n',
    );
    expect((await run('services access scripted --all --none', asAdmin())).code).toBe(2);
    expect((await run('services remove scripted', asAdmin())).code).toBe(2);
    expect((await run('services remove scripted --yes', asAdmin())).code).toBe(0);
    expect((await run('services access scripted', asAdmin())).code).toBe(1);
  });
});

const interestDoc = z.looseObject({
  id: z.string(),
  state: z.string(),
  webhook_secret: z.string().optional(),
  endpoint_id: z.string().nullable(),
});

describe('interests and events', () => {
  it('makes, lists, shows and removes interests', async () => {
    const create = `interests create --bot firstbot --type stream.online --broadcaster ${bot.user.login}`;
    const made = await json(create, interestDoc, asService());
    expect(made.state).toBe('active');
    expect((await run('interests list', asService())).stdout).toContain(made.id);
    expect((await run(`interests show ${made.id}`, asService())).stdout).toMatch(/^type +stream\.online/m);
    expect((await run(`interests remove ${made.id}`, asService())).code).toBe(2);
    expect((await run(`interests remove ${made.id} --yes`, asService())).code).toBe(0);
    expect((await run(`interests show ${made.id}`, asService())).code).toBe(1);
    const odd = await run('interests create --bot firstbot --type stream.onlin', asService());
    expect(odd).toMatchObject({ code: 1, stdout: '' });
    expect(odd.stderr).toContain('stream.online');
  });

  it(
    'follows the events through a restart: each once, acknowledged, 130 at the end',
    { timeout: 20_000 },
    async () => {
      await json(
        'interests create --bot firstbot --type channel.follow --broadcaster firstbot',
        interestDoc,
        asService(),
      );
      const follow = () =>
        world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id })[0]?.messageId ?? '';
      const running = start('events tail --json --types channel.follow --consumer watcher', asService());
      await connected('watcher');
      const sent = [follow(), follow()];
      await until(() => eventIds(running).length === 2, { what: 'two events' });
      await world.restart();
      await until(() => running.stderr.includes('stands again'), { what: 'the next connection' });
      await world.session(bot);
      await world.subscribed(bot, 1);
      sent.push(follow());
      await until(() => eventIds(running).includes(sent[2] ?? ''), { what: 'the third event' });
      await until(() => running.stdout.includes('"type":"relay.gap"'), { what: "the restart's gap" });
      running.interrupt();
      expect(await running.ended).toBe(130);
      expect(eventIds(running).filter((id) => sent.includes(id))).toEqual(sent);
      const consumersDoc = z.array(z.looseObject({ name: z.string(), behind_events: z.number() }));
      // The relay saves the position when it sees that the socket has ended.
      const caughtUp = async () => {
        const [consumer] = await json('consumers list', consumersDoc, asService());
        return consumer?.name === 'watcher' && consumer.behind_events === 0;
      };
      await until(caughtUp, { what: 'the position of what was printed' });
      expect(running.stderr.match(/has ended/g)).toHaveLength(1);
    },
  );

  it('ends after --limit, and goes on after what was acknowledged', async () => {
    const running = start('events tail --limit 1 --types channel.follow', asService());
    await connected('cli');
    world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    expect(await running.ended).toBe(0);
    expect(running.stdout).toMatch(/^\d\d:\d\d:\d\d {2}channel\.follow +#firstbot \S+\n$/);
    const pageDoc = z.looseObject({ events: z.array(z.looseObject({ id: z.string() })), next: z.string() });
    const list = 'events list --types channel.follow';
    const all = await json(list, pageDoc, asService());
    expect(all.events.length).toBeGreaterThan(4);
    const page = await json(`${list} --limit 2`, pageDoc, asService());
    const rest = await json(`${list} --after ${page.next}`, pageDoc, asService());
    expect([...page.events, ...rest.events]).toEqual(all.events);
    const told = await run(`${list} --after ${page.next}`, asService());
    expect(told.stdout.trimEnd().split('\n')).toHaveLength(rest.events.length);
    expect(told.stderr).toContain('the end of the log');
    expect((await run(`${list} --limit 2`, asService())).stderr).toContain(`--after ${page.next}`);
  });

  it('acknowledges nothing that its reader did not take', async () => {
    const running = start('events tail --json --types channel.follow --consumer head', asService());
    await connected('head');
    running.readerGoes();
    expect(await running.ended).toBe(0);
    const again = start('events tail --json --types channel.follow --consumer head --limit 1', asService());
    await connected('head');
    world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    expect(await again.ended).toBe(0);
    expect(eventIds(again)).toHaveLength(1);
  });

  it('stops with 4 when the account is shut out', async () => {
    const running = start('events tail --consumer shut', asService());
    await connected('shut');
    expect((await run('services disable overlay', asAdmin())).code).toBe(0);
    expect(await running.ended).toBe(4);
    expect(running.stderr).toContain('services enable');
    expect((await run('services enable overlay', asAdmin())).code).toBe(0);
  });
});

it('looks after webhooks', { timeout: 20_000 }, async () => {
  await using receiver = await Receiver.start();
  const url = receiver.url('/hook');
  const made = await json(
    `interests create --bot firstbot --type stream.offline --broadcaster firstbot --webhook ${url}`,
    interestDoc,
    asService(),
  );
  expect(made.webhook_secret).toMatch(/^whsec_/);
  receiver.secrets.push(made.webhook_secret ?? '');
  expect((await run('endpoints list', asService())).stdout).toContain(url);
  expect((await run(`endpoints show ${url}`, asService())).stdout).toMatch(/^state +healthy$/m);
  expect((await run(`endpoints test ${url}`, asService())).stdout).toMatch(/^✓ success, status 2/);
  const rotated = await json(
    `endpoints rotate-secret ${url}`,
    z.looseObject({ webhook_secret: z.string() }),
    asService(),
  );
  expect(rotated.webhook_secret).not.toBe(made.webhook_secret);
  receiver.secrets.push(rotated.webhook_secret);
  expect((await run(`endpoints enable ${made.endpoint_id}`, asService())).code).toBe(0);
  world.sim.send('stream.offline', { broadcaster_user_id: bot.user.id });
  const attempts = z.array(z.looseObject({ id: z.string(), event_id: z.string(), state: z.string() }));
  const [attempt] = await until(
    async () => {
      const list = await json(`deliveries list --endpoint ${url} --state delivered`, attempts, asService());
      return list.length > 0 && list;
    },
    { what: 'a delivery' },
  );
  expect((await run('deliveries list', asService())).stdout).toContain(attempt?.event_id);
  const replay = `deliveries replay --endpoint ${url} --event ${attempt?.event_id}`;
  expect((await run(`${replay} --dry-run`, asService())).stdout).toBe('1 event would be sent again.\n');
  expect((await run(replay, asService())).stdout).toBe('1 event is sent again.\n');
  expect((await run(`${replay} --from 2026-11-21T03:00:00Z`, asService())).code).toBe(2);
});

it('lets a broadcaster grant what a service needs', { timeout: 20_000 }, async () => {
  const user = world.sim.addUser({ login: 'streamer' });
  world.sim.signIn(user.id);
  const running = start('broadcasters authorize --types channel.subscribe', asService());
  const url = await until(() => /^http\S+/m.exec(running.stdout)?.[0], { what: 'the link' });
  await fetch(url);
  expect(await running.ended).toBe(0);
  expect(running.stdout).toContain('✓ streamer');
  const link = await run('broadcasters authorize --as admin --no-wait', asAdmin());
  expect(link.stdout).toMatch(/^http\S+\n$/);
});

describe('what cannot work', () => {
  it('ends with 4 for a wrong key, whatever it came from, and does not show it', async () => {
    await writeFile(join(folder, 'key'), 'hunter2-of-a-file');
    const ways: [string, CliOptions][] = [
      ['', { env: { ADMIN_API_KEY: 'hunter2-of-the-env' } }],
      [' --admin-key hunter2-given', {}],
      [` --admin-key-file ${join(folder, 'key')}`, {}],
      [' --admin-key-file -', { stdin: 'hunter2-of-stdin' }],
    ];
    for (const [words, options] of ways) {
      const answer = await run(`bots list${words}`, asAdmin(options));
      expect(answer).toMatchObject({ code: 4, stdout: '' });
      expect(answer.stderr).toContain('ADMIN_API_KEY');
      expect(answer.stderr).not.toContain('hunter2');
    }
    expect(JSON.stringify(world.logs)).not.toContain('hunter2');
  });

  it('ends with 3 where nothing listens, and says so', async () => {
    const answer = await run('bots list --url http://127.0.0.1:2', asAdmin());
    expect(answer).toMatchObject({ code: 3, stdout: '' });
    expect(answer.stderr).toContain('nothing listens there');
  });
});

const eventIds = (running: CliRun): string[] => linesOf(running).map((event) => (event as RelayEvent).id);

const connected = (name: string) =>
  until(
    async () => {
      const { body } = await world.call<{ name: string; connected: boolean }[]>('GET', '/v1/consumers', {
        as: service,
      });
      return body.some((each) => each.name === name && each.connected);
    },
    { what: `the consumer ${name}` },
  );
