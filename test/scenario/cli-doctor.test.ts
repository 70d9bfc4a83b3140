// The doctor on a relay that is well and on one that is broken in every way that it has to name.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { cli, type CliOptions } from '../support/cli.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { until } from '../support/until.ts';
import { adminKey, worlds, type Bot, type Service, type World } from '../support/world.ts';

const place = worlds();
let world: World;
let bot: Bot;
let service: Service;
beforeAll(async () => {
  await place.open();
  world = await place.create();
  bot = await world.addBot('doctored', ['moderator:read:followers', 'bits:read']);
  service = await world.addService('patient');
  await world.addInterest(service, bot, 'channel.follow');
  await world.ready();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await place.close();
});

const report = z.object({
  status: z.string(),
  url: z.string(),
  checks: z.array(
    z.object({
      name: z.string(),
      bot: z.string().nullable(),
      status: z.enum(['ok', 'warning', 'failed']),
      detail: z.string(),
      advice: z.string().nullable(),
    }),
  ),
});
type Check = z.infer<typeof report>['checks'][number];

const env = () => ({ RELAY_URL: world.url, ADMIN_API_KEY: adminKey });
async function examine(options: CliOptions = {}) {
  const { code, stdout, stderr } = await cli(['doctor', '--json'], { env: env(), ...options });
  expect(stderr).toBe('');
  return { code, ...report.parse(JSON.parse(stdout)) };
}
const bad = (checks: readonly Check[]) => checks.filter(({ status }) => status === 'failed');

it('finds nothing on a relay that is well', async () => {
  const { code, status, checks } = await examine();
  expect(bad(checks)).toEqual([]);
  expect(code).toBe(0);
  expect(status).toBe('ok');
  const names = checks.map(({ name }) => name);
  expect(names).toEqual(
    expect.arrayContaining(['configuration', 'relay', 'clock here', 'ready', 'database', 'twitch']),
  );
  expect(checks.filter((check) => check.bot === 'doctored').map(({ name }) => name)).toEqual(
    expect.arrayContaining(['token', 'scopes', 'budget', 'session']),
  );
  const told = await cli(['doctor'], { env: env() });
  expect(told).toMatchObject({ code: 0, stderr: 'All is well.\n' });
  expect(
    told.stdout
      .trimEnd()
      .split('\n')
      .every((line) => line.startsWith('✓ ')),
  ).toBe(true);
});

it('checks the credentials of a service too', async () => {
  const login = { RELAY_CLIENT_ID: service.clientId, RELAY_CLIENT_SECRET: service.clientSecret };
  const good = await examine({ env: { ...env(), ...login } });
  expect(good.checks.find(({ name }) => name === 'service')).toMatchObject({ status: 'ok' });
  const wrong = await examine({ env: { ...env(), ...login, RELAY_CLIENT_SECRET: 'hunter2' } });
  expect(wrong.code).toBe(1);
  expect(bad(wrong.checks)).toMatchObject([{ name: 'service' }]);
  expect(JSON.stringify(wrong)).not.toContain('hunter2');
});

it('says that a clock is off', async () => {
  const wrong = { now: () => Date.now() + 3_600_000, after: () => () => undefined };
  const { code, checks } = await examine({ clock: wrong });
  expect(code).toBe(1);
  expect(bad(checks)).toMatchObject([
    { name: 'clock here', detail: expect.stringContaining('apart') as unknown },
  ]);
});

it('gives up on a relay that takes the call and says nothing', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  let asked = false;
  silent.on('request', () => (asked = true));
  const clock = new ShiftClock();
  try {
    const found = examine({ env: { RELAY_URL: `http://127.0.0.1:${port}` }, clock });
    await until(() => asked);
    await clock.advance(10_000);
    expect(bad((await found).checks)).toMatchObject([
      { name: 'relay', detail: expect.stringContaining('it does not answer') as unknown },
    ]);
  } finally {
    silent.closeAllConnections();
    silent.close();
    await once(silent, 'close');
  }
});

it('says what is wrong with the key', async () => {
  const wrong = await examine({ env: { ...env(), ADMIN_API_KEY: 'hunter2-hunter2-hunter2' } });
  expect(wrong.code).toBe(1);
  expect(bad(wrong.checks)).toMatchObject([{ name: 'admin' }]);
  expect(JSON.stringify(wrong)).not.toContain('hunter2');
  const none = await examine({ env: { RELAY_URL: world.url } });
  expect(bad(none.checks)).toMatchObject([{ name: 'admin', advice: 'Set ADMIN_API_KEY.' }]);
});

it('says that nothing, or something else, answers', async () => {
  const nobody = await examine({ env: { ...env(), RELAY_URL: 'http://127.0.0.1:2' } });
  expect(nobody.code).toBe(1);
  expect(bad(nobody.checks)).toMatchObject([{ name: 'relay' }]);
  const server = createServer((_, res) => res.writeHead(404).end('not a relay'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const other = await examine({ env: { ...env(), RELAY_URL: `http://127.0.0.1:${port}` } });
  server.close();
  server.closeAllConnections();
  expect(bad(other.checks)).toMatchObject([
    { name: 'relay', detail: expect.stringContaining('not a relay') as unknown },
  ]);
});

it('looks at an older relay that has no checks', async () => {
  const older: typeof fetch = async (input, init) => {
    const url = input instanceof Request ? input.url : input.toString();
    return url.endsWith('/v1/admin/checks') ? new Response('{}', { status: 404 }) : fetch(input, init);
  };
  const { code, checks } = await examine({ fetch: older });
  expect(code).toBe(0);
  expect(checks.map(({ name }) => name)).toEqual(expect.arrayContaining(['database', 'token']));
  expect(checks.find((check) => check.name === 'token')).toMatchObject({ bot: 'doctored', status: 'ok' });
});

it('says that a scope is missing', async () => {
  // The same user says yes to less than its interest needs.
  const less = world.sim.grant({ userId: bot.user.id, scopes: ['bits:read'] });
  const { code } = await cli(['bots', 'import'], {
    env: env(),
    stdin: `${less.accessToken}\n${less.refreshToken}\n`,
  });
  expect(code).toBe(0);
  const found = await until(
    async () => {
      const answer = await examine();
      return answer.checks.find((check) => check.name === 'scopes' && check.status !== 'ok');
    },
    { what: 'the missing scope' },
  );
  expect(found.bot).toBe('doctored');
  expect(`${found.detail} ${found.advice}`).toContain('moderator:read:followers');
});

it('names the command that mends it, and a bot by what a shell can read', async () => {
  const name = 'sick$(id)"';
  await cli(['bots', 'rename', 'doctored', name], { env: env() });
  await cli(['bots', 'disable', name], { env: env() });
  const { checks } = await examine();
  const session = checks.find((check) => check.name === 'session');
  expect(session).toMatchObject({ bot: name, status: 'warning' });
  expect(session?.advice).toMatch(/ Here: eventsub-relay bots enable [\da-f-]{36}$/u);
  const [, words = ''] = session?.advice?.split('Here: eventsub-relay ') ?? [];
  expect((await cli(words.split(' '), { env: env() })).code).toBe(0);
  expect((await examine()).checks.find((check) => check.name === 'session')?.advice ?? '').not.toContain(
    'enable',
  );
  expect((await cli(['bots', 'rename', name, 'doctored'], { env: env() })).code).toBe(0);
});

it('says that Twitch is away', { timeout: 20_000 }, async () => {
  const away = [world.sim.arm({ name: 'auth', on: 'validate', status: 503, times: 1_000 })];
  try {
    const { code, checks } = await examine();
    expect(away[0]?.fired()).toBeGreaterThan(0);
    expect(code).toBe(1);
    expect(bad(checks).map(({ name }) => name)).toContain('twitch');
    expect(bad(checks).every(({ advice, name }) => advice !== null || name === 'ready')).toBe(true);
    // A new grant would mend nothing.
    expect(checks.find(({ name }) => name === 'token')).toMatchObject({ status: 'warning' });
    expect(checks.find(({ name }) => name === 'token')?.advice).not.toContain('authorize');
  } finally {
    for (const fault of away) fault.disarm();
  }
});

it('says that a token is dead, and what to do', async () => {
  world.sim.revokeGrant(bot.user.id);
  const { code, checks } = await until(
    async () => {
      const answer = await examine();
      return answer.code === 1 && answer;
    },
    { what: 'the dead token' },
  );
  expect(code).toBe(1);
  const token = checks.find((check) => check.bot === 'doctored' && check.name === 'token');
  expect(token).toMatchObject({ status: 'failed' });
  expect(token?.advice).toContain('eventsub-relay bots authorize --bot "doctored"');
  const told = await cli(['doctor'], { env: env() });
  expect(told.code).toBe(1);
  expect(told.stdout).toMatch(/^✗ doctored: token {2}.+\n {4}→ .+/m);
});
