// The interactive console as a person meets it: a real pseudo-terminal, real key presses, the whole relay behind it. One
// process goes through most of it, since each costs seconds to start; the steps are tests so that a failure has a name.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { key, noTerminal, Terminal } from '../support/terminal.ts';
import { until } from '../support/until.ts';
import { adminKey, worlds, type World } from '../support/world.ts';

const missing = noTerminal();
if (missing !== undefined) console.warn(`The console is not tested: ${missing}.`);

const entry = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const command = [process.execPath, '--import', import.meta.resolve('tsx'), entry, 'console'];
/** The relay's own poll of a device code. */
const deviceIntervalMs = 5_500;

const place = worlds();
let world: World;

beforeAll(async () => {
  await place.open();
  world = await place.create({ env: { PORT: String(await freePort()) } });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await place.close();
});

/** The relay comes back on its port, so it has to be a certain one. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function open(given: { env?: Record<string, string>; columns?: number } = {}): Terminal {
  return new Terminal(command, {
    cwd: import.meta.dirname,
    env: { RELAY_URL: world.url, ...given.env },
    ...(given.columns === undefined ? {} : { columns: given.columns }),
  });
}

interface BotRow {
  readonly id: string;
  readonly name: string;
  readonly twitch_login: string;
  readonly scopes: string[];
  readonly enabled: boolean;
}
const bots = async () => (await world.call<BotRow[]>('GET', '/v1/bots', { as: 'admin' })).body;
const mayLogIn = async (clientId: string, clientSecret: string) =>
  (await world.call('GET', '/v1/interests', { as: { name: '', clientId, clientSecret } })).status === 200;

describe.skipIf(missing !== undefined)('the console', () => {
  let terminal: Terminal;
  const service = { name: 'alerts', clientId: '', clientSecret: '' };
  const secrets: string[] = [];

  let broken = false;
  /** The rest of a story that has gone wrong would only wait. */
  const step = (name: string, run: () => Promise<void>) =>
    it(name, async () => {
      expect(broken, 'an earlier step failed').toBe(false);
      broken = true;
      await run();
      broken = false;
    });
  /** The value under a name on the screen of a secret. */
  const shown = (name: string) =>
    new RegExp(String.raw`^${name}\n(\S+)$`, 'mu').exec(terminal.screen.text)?.[1] ?? '';

  beforeAll(() => {
    terminal = open();
  });
  afterAll(() => terminal[Symbol.asyncDispose]());

  step('asks for the admin key, masked, and again when it is wrong', async () => {
    await terminal.answer('Admin key', 'not-the-admin-key');
    await terminal.sees('does not accept the credentials');
    await terminal.asks('Admin key');
    terminal.press(adminKey);
    await terminal.sees('*'.repeat(adminKey.length));
    await terminal.leave('Admin key', key.enter);
    await terminal.asks('What now?');
    expect(terminal.screen.text).toContain('no bot yet');
    expect(terminal.raw).not.toContain(adminKey);
  });

  step('adds a bot with a link; a wrong type is corrected, and Ctrl-C leaves the wait', async () => {
    const user = world.sim.addUser({ login: 'linked_tv' });
    world.sim.signIn(user.id);
    await terminal.choose('What now?', 'Bots');
    await terminal.choose('Bots', 'Add a bot');
    await terminal.choose('Add a bot', 'With a link');
    await terminal.answer('Name', 'linked');
    await terminal.asks('What shall it be used for?');
    await terminal.pointTo('Followers');
    terminal.press(key.space);
    await terminal.sees(/❯.*◉|❯.*●|❯.*⦿|❯.*\(\*\)/u);
    await terminal.leave('What shall it be used for?', key.enter);
    await terminal.answer('Other event types', 'channel.chat.mesage');
    await terminal.sees(/✗.*channel\.chat\.mesage/u);
    expect(terminal.screen.text).toContain('channel.chat.message');
    await terminal.answer('Other event types', 'channel.chat.message');
    await terminal.sees('Open this link');
    await terminal.sees(/Waiting for the answer · Esc: back \(\d+ s\)/u);
    terminal.press(key.ctrlC);
    await terminal.asks('Add a bot');
    expect(terminal.screen.text).toContain('Not waiting any more');

    await terminal.choose('Add a bot', 'With a link');
    await terminal.answer('Name', 'linked');
    await terminal.leave('What shall it be used for?', key.enter);
    await terminal.answer('Other event types', 'channel.follow, channel.chat.message');
    await terminal.sees(/Open this link(?![\s\S]*Not waiting)[\s\S]*Whoever/u);
    const links = terminal.screen.history.replaceAll('\n', '').match(/https?:\/\/\S+?(?=Whoever)/gu) ?? [];
    expect(links).toHaveLength(2);
    const page = await fetch(links[1] ?? '');
    expect(page.status).toBe(200);
    await terminal.asks('Bots');
    expect(terminal.screen.text).toContain('✔ linked (linked_tv) may be used');
    expect(await bots()).toMatchObject([{ name: 'linked', twitch_login: 'linked_tv' }]);
    expect((await bots())[0]?.scopes).toEqual(
      expect.arrayContaining(['moderator:read:followers', 'user:read:chat']),
    );
  });

  step('adds a bot with a code for another device', async () => {
    const user = world.sim.addUser({ login: 'device_tv' });
    await terminal.choose('Bots', 'Add a bot');
    await terminal.choose('Add a bot', 'With a code');
    await terminal.answer('Name', 'pocket');
    await terminal.leave('What shall it be used for?', key.enter);
    await terminal.answer('Other event types', '');
    const text = await terminal.sees(/enter the code \S+/u);
    const code = /enter the code (\S+)/u.exec(text)?.[1] ?? '';
    expect(world.sim.answerDevice(code, user.id)).toBe(true);
    await until(async () => {
      await world.clock.advance(deviceIntervalMs);
      return terminal.screen.text.includes('? Bots');
    });
    expect(terminal.screen.text).toContain('✔ pocket (device_tv) may be used:');
  });

  step('imports a token, which is never on the screen, and lists all three', async () => {
    const user = world.sim.addUser({ login: 'imported_tv' });
    const grant = world.sim.grant({ userId: user.id, scopes: ['moderator:read:followers'] });
    secrets.push(grant.accessToken, grant.refreshToken);
    await terminal.choose('Bots', 'Add a bot');
    await terminal.choose('Add a bot', 'Import a token');
    await terminal.answer('Name', '');
    await terminal.answer('Access token', `oauth:${grant.accessToken}`);
    await terminal.answer('Refresh token', grant.refreshToken);
    await terminal.asks('Bots');
    const { text } = terminal.screen;
    expect(text).toContain('✔ imported_tv (imported_tv) may be used: moderator:read:followers.');
    for (const name of ['linked', 'pocket', 'imported_tv']) {
      expect(text).toMatch(new RegExp(String.raw`^${name} .*○ ready, nothing wanted`, 'mu'));
    }
  });

  step('authorises a bot anew; a no is told with what to do about it', async () => {
    const links = () =>
      terminal.screen.history.replaceAll('\n', '').match(/https?:\/\/\S+?(?=Whoever)/gu) ?? [];
    for (const answer of ['no', 'yes']) {
      const before = links().length;
      world.sim.signIn(world.sim.users().find(({ login }) => login === 'linked_tv')?.id ?? null);
      if (answer === 'no') world.sim.denyNextConsent();
      if (answer === 'no') await terminal.choose('Bots', 'linked');
      await terminal.choose('linked', 'Authorise anew with a link');
      await terminal.leave('What shall it be used for?', key.enter);
      await terminal.answer('Other event types', '');
      await until(() => links().length > before);
      await fetch(links().at(-1) ?? '');
      if (answer === 'no') await terminal.sees(/✗ [^\n]+\n  The account said no/u);
    }
    await terminal.sees('✔ linked (linked_tv) may be used');
    await terminal.choose('linked', 'Back');
    expect(await bots()).toHaveLength(3);
  });

  step('renames, refreshes, disables and removes a bot', async () => {
    await terminal.asks('Bots');
    // Typing jumps to it.
    terminal.press('pock');
    await terminal.sees(/❯ pocket/u);
    await terminal.leave('Bots', key.enter);
    await terminal.choose('pocket', 'Rename');
    await terminal.asks('New name');
    terminal.press(...Array.from({ length: 'pocket'.length }, () => key.backspace));
    await terminal.answer('New name', 'handheld');
    await terminal.choose('handheld', 'Refresh its token');
    await terminal.sees('handheld has a new token');
    await terminal.choose('handheld', 'Disable');
    await terminal.answer('Disable handheld?', 'y');
    await terminal.sees(/State +○ disabled/u);
    await terminal.choose('handheld', 'Remove');
    await terminal.answer('Type handheld', 'linked');
    await terminal.sees('it stays');
    expect((await bots()).map(({ name }) => name)).toContain('handheld');
    await terminal.choose('handheld', 'Remove');
    await terminal.answer('Type handheld', 'handheld');
    await terminal.asks('Bots');
    expect(terminal.screen.text).toContain('handheld is removed');
    expect((await bots()).map(({ name }) => name)).not.toContain('handheld');
    await terminal.choose('Bots', 'Back');
  });

  step('creates a service account: its secret works, and is gone from the terminal after Enter', async () => {
    await terminal.choose('What now?', 'Service accounts');
    await terminal.choose('Service accounts', 'Create');
    await terminal.answer('Name of the service', service.name);
    await terminal.sees('Enter: I have copied it');
    expect(terminal.screen.alternate).toBe(true);
    [service.clientId, service.clientSecret] = [shown('client_id'), shown('client_secret')];
    expect(await mayLogIn(service.clientId, service.clientSecret)).toBe(true);
    terminal.press(key.ctrlC);
    await terminal.sees('Only Enter leaves this screen');
    terminal.press(key.enter);
    await terminal.asks('Service accounts');
    expect(terminal.screen.alternate).toBe(false);
    expect(terminal.screen.history).toContain(service.clientId);
    expect(terminal.screen.history).not.toContain(service.clientSecret);
  });

  step('makes a new secret with a grace, then one without', async () => {
    const first = service.clientSecret;
    await terminal.choose('Service accounts', service.name);
    await terminal.choose(service.name, 'New secret');
    await terminal.choose('How long', '1 hour');
    await terminal.sees('Enter: I have copied it');
    const second = shown('client_secret');
    terminal.press(key.enter);
    await terminal.sees('The old one works until');
    expect([await mayLogIn(service.clientId, first), await mayLogIn(service.clientId, second)]).toEqual([
      true,
      true,
    ]);
    await terminal.choose(service.name, 'New secret');
    await terminal.choose('How long', 'Not at all');
    await terminal.sees('Enter: I have copied it');
    service.clientSecret = shown('client_secret');
    terminal.press(key.enter);
    await terminal.sees('The old one is dead');
    expect(await mayLogIn(service.clientId, first)).toBe(false);
    expect(await mayLogIn(service.clientId, service.clientSecret)).toBe(true);
  });

  step('restricts the service to one bot', async () => {
    await terminal.choose(service.name, 'Access to bots');
    await terminal.choose('Which bots', 'Only some');
    await terminal.asks('Space marks a bot');
    await terminal.pointTo('imported_tv');
    terminal.press(key.space);
    await terminal.leave('Space marks a bot', key.enter);
    await terminal.sees('alerts may use only imported_tv');
    const { body } = await world.call<{ access_mode: string; bots: BotRow[] }>('GET', '/v1/bots/accessible', {
      as: service,
    });
    expect(body).toMatchObject({ access_mode: 'restricted', bots: [{ name: 'imported_tv' }] });
    await terminal.choose(service.name, 'Back');
    await terminal.choose('Service accounts', 'Back');
  });

  step('creates an interest with the credentials of the service', async () => {
    await terminal.choose('What now?', 'Interests');
    await terminal.choose('Interests', 'Interests of a service');
    await terminal.answer('client_id', service.clientId);
    await terminal.answer('client_secret', service.clientSecret);
    await terminal.choose('Interests of the service', 'Create');
    await terminal.choose('Which bot?', 'imported_tv');
    await terminal.asks('Which event type?');
    terminal.press('channel.follow');
    await terminal.sees(/❯ channel\.follow v2/u);
    await terminal.leave('Which event type?', key.enter);
    await terminal.leave('Channel', key.enter);
    await terminal.choose('How shall the events come?', 'Over a WebSocket');
    await terminal.sees(/✔ channel\.follow v2 is active\./u);
    await terminal.sees(/^channel\.follow v2 +active +imported_tv/mu);
    await terminal.choose('Interests of the service', 'Back');
    await terminal.choose('Interests', 'Topics of every bot');
    await terminal.sees(/^imported_tv +works +1 active +live$/mu);
    await terminal.choose('Interests', 'Back');
  });

  step('shows an event as it comes, and goes on after a restart of the relay', async () => {
    const follow = (login: string) => {
      const userId = world.sim.addUser({ login }).id;
      const target = world.sim.sessions().find(({ open: isOpen }) => isOpen)?.userId ?? '';
      const event = { user_id: userId, user_login: login, user_name: login };
      const sent = world.sim.send('channel.follow', { broadcaster_user_id: target }, event);
      expect(sent).toHaveLength(1);
    };
    await terminal.choose('What now?', 'Live tail');
    await terminal.sees('Any key ends it');
    follow('first_fan');
    await terminal.sees(/\d\d:\d\d:\d\d +channel\.follow/u);
    await world.stop();
    await terminal.sees('The relay does not answer');
    await world.start();
    await terminal.sees('The relay is back', 15_000);
    await until(() =>
      world.sim.sessions().some(({ open: isOpen, subscriptionCount }) => isOpen && subscriptionCount > 0),
    );
    follow('second_fan');
    await until(() => (terminal.screen.text.match(/channel\.follow/gu) ?? []).length >= 2);
    terminal.press('x');
    await terminal.sees('The tail has ended');
    await terminal.asks('What now?');
  });

  step('survives a relay that is away, and checks everything when it is back', async () => {
    await world.stop();
    await terminal.choose('What now?', 'Bots');
    await terminal.sees(/cannot be reached: nothing listens there/u);
    await terminal.asks('What now?');
    await world.start();
    await terminal.choose('What now?', 'Checks');
    await terminal.sees(/database ·/u);
    await terminal.sees(/imported_tv: token ·/u);
  });

  step('removes an interest, and a service by its name', async () => {
    await terminal.choose('What now?', 'Interests');
    await terminal.choose('Interests', 'Interests of the service in hand');
    await terminal.choose('Interests of the service', 'Remove an interest');
    await terminal.choose('Which one?', 'channel.follow of imported_tv');
    await terminal.answer('Remove the interest', 'y');
    await terminal.sees('This service has no interest yet');
    await terminal.choose('Interests of the service', 'Back');
    await terminal.choose('Interests', 'Back');
    await terminal.choose('What now?', 'Service accounts');
    await terminal.choose('Service accounts', service.name);
    await terminal.choose(service.name, 'Disable');
    await terminal.answer('Disable alerts?', 'y');
    await terminal.sees(/^alerts +disabled/mu);
    expect(await mayLogIn(service.clientId, service.clientSecret)).toBe(false);
    await terminal.choose(service.name, 'Remove');
    await terminal.answer('Type alerts', service.name);
    await terminal.sees('There is no service account yet');
    await terminal.choose('Service accounts', 'Back');
  });

  step('quits with 0, and the terminal is as it was', async () => {
    await terminal.choose('What now?', 'Quit');
    expect(await terminal.ended()).toBe(0);
    const [before, after] = terminal.settings;
    expect(before).toBeDefined();
    expect(after).toBe(before);
    expect(terminal.screen.cursorShown).toBe(true);
    for (const secret of secrets) expect(terminal.raw).not.toContain(secret);
  });
});

describe.skipIf(missing !== undefined)('the console on a narrow terminal without colours', () => {
  it('draws within 60 columns, and Ctrl-C at the top ends it with 130', async () => {
    const bot = await world.addBot('a_name_of_some_length_for_a_bot');
    await world.addService('a-service-with-a-longer-name');
    await using terminal = open({ columns: 60, env: { ADMIN_API_KEY: adminKey, NO_COLOR: '1' } });
    await terminal.asks('What now?');
    const { wrapped } = terminal.screen;
    await terminal.choose('What now?', 'Service accounts');
    await terminal.sees(/^Service +a-service-with-a-longer-name$/mu);
    await terminal.leave('Service accounts', key.escape);
    await terminal.choose('What now?', 'Checks');
    await terminal.sees(/need a look|All is well/u);
    await terminal.choose('What now?', 'Bots');
    await terminal.sees(/^Session +none$/mu);
    await terminal.choose('Bots', bot.user.login);
    await terminal.sees(/^Scopes +user:read:chat/mu);
    await terminal.leave(bot.user.login, key.escape);
    await terminal.choose('Bots', 'Add a bot');
    await terminal.choose('Add a bot', 'With a link');
    await terminal.leave('Name', key.escape);
    await terminal.leave('Add a bot', key.escape);
    await terminal.leave('Bots', key.escape);
    expect(terminal.screen.wrapped).toBe(wrapped);
    await terminal.leave('What now?', key.ctrlC);
    expect(await terminal.ended()).toBe(130);
    // oxlint-disable-next-line no-control-regex -- these are what is looked for
    expect(terminal.raw).not.toMatch(/\u001b\[[\d;]*m/u);
    expect(terminal.settings[1]).toBe(terminal.settings[0]);
    expect(terminal.screen.cursorShown).toBe(true);
  });

  it.each(['SIGTERM', 'SIGHUP'] as const)('gives the terminal back on %s amid a question', async (signal) => {
    await using terminal = open({ columns: 60 });
    await terminal.asks('Admin key');
    terminal.press('half a ke');
    await terminal.sees('*********');
    process.kill(terminal.pid, signal);
    expect(await terminal.ended()).toBe(130);
    expect(terminal.settings[1]).toBe(terminal.settings[0]);
    expect(terminal.screen.cursorShown).toBe(true);
  });
});
