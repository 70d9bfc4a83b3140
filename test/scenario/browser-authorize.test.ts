// A bot added in a real browser: the link is opened, Twitch asks (the simulator answers at once), and the relay's page
// says what happened. The page is read as a person sees it, with its style.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BotView } from '../../src/protocol/rest.ts';
import { browserPath, browserRequired } from '../support/browser.ts';
import { browserPage, type BrowserPage } from '../support/browser-page.ts';
import { until } from '../support/until.ts';
import { authorization, startLink } from '../support/visit.ts';
import { worlds, type World } from '../support/world.ts';

const place = worlds();
const hasBrowser = browserPath() !== undefined || browserRequired();
let world: World;
beforeAll(async () => {
  await place.open();
  world = await place.create();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await place.close();
});

const text = async (page: BrowserPage, wanted: RegExp) =>
  until(
    async () => {
      const shown = await page.evaluate<string>('document.querySelector("main")?.innerText ?? ""');
      return wanted.test(shown) ? shown : undefined;
    },
    { what: `a page that says ${wanted}`, timeoutMs: 15_000 },
  );
const styleOf = (page: BrowserPage, selector: string, property: string) =>
  page.evaluate<string>(`getComputedStyle(document.querySelector('${selector}')).${property}`);

describe('a browser', () => {
  it.runIf(hasBrowser)('adds a bot, and is told so', { timeout: 60_000 }, async () => {
    await using page = await browserPage();
    const user = world.sim.addUser({ login: 'overlaybot' });
    world.sim.signIn(user.id);
    const link = await startLink(world, { name: '<b>desk</b>', event_types: ['channel.chat.message'] });
    await page.open(link.authorize_url);
    const said = await text(page, /is connected/);
    expect(said).toContain('<b>desk</b> is connected');
    expect(said).toContain('The relay may act as the Twitch account overlaybot.');
    expect(said).toContain('user:read:chat');
    expect(await page.evaluate('document.title')).toBe('<b>desk</b> is connected');
    // The policy lets its own style through and nothing else in.
    expect(await styleOf(page, 'main', 'maxWidth')).toBe('576px');
    expect(await page.evaluate<number>('document.scripts.length')).toBe(0);
    expect(await page.evaluate<boolean>('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    const own = [new URL(world.url).port, String(world.sim.port)];
    const elsewhere = page.requests.filter((url) => !own.includes(new URL(url).port));
    expect(elsewhere).toEqual([]);
    expect(page.complaints).toEqual([]);

    const { body: bots } = await world.call<BotView[]>('GET', '/v1/bots', { as: 'admin' });
    expect(bots).toMatchObject([{ name: '<b>desk</b>', twitch_login: 'overlaybot', state: 'ok' }]);
    expect((await authorization(world, link.id)).bot_account_id).toBe(bots[0]?.id);

    // Loaded again, the state is used; the person is told not to worry.
    const address = await page.evaluate<string>('location.href');
    await page.open(address);
    expect(await text(page, /used already/)).toContain('all is well');

    world.sim.denyNextConsent();
    const refused = await startLink(world);
    await page.open(refused.authorize_url);
    expect(await text(page, /told no/)).toContain('The request was declined at Twitch.');
    expect((await authorization(world, refused.id)).state).toBe('denied');
  });
});
