// Where Twitch sends browsers back to, and the checks of the admin: what is handed on, what is shown, what is never shown.
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { RelayError } from '../../src/domain/errors.ts';
import { checksView } from '../../src/protocol/rest.ts';
import type { Database } from '../../src/store/database.ts';
import { httpWorld, type HttpWorld } from '../support/http-world.ts';
import { sharedDatabase, type TestDatabase } from '../support/test-database.ts';

let place: TestDatabase;
let database: Database;
let world: HttpWorld;

beforeAll(async () => {
  place = await sharedDatabase();
  database = await place.open();
  world = await httpWorld(database);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});
beforeEach(() => {
  world.authorizations.calls.length = 0;
  world.authorizations.fault = null;
  world.authorizations.end = {
    kind: 'refused',
    code: 'state_unknown',
    reason: 'the relay never made this link',
  };
  world.lines.length = 0;
});

const back = (query: string, method = 'GET') => fetch(`${world.url}/oauth/callback${query}`, { method });
const handedOn = () => world.authorizations.asked('finish');

describe('a browser that comes back', () => {
  test('has its query handed on: the first of each, empty as missing, nothing endless', async () => {
    await back('?code=c1&state=s1&code=c2&state=s2&scope=x');
    expect(handedOn()).toEqual({ state: 's1', code: 'c1', error: undefined });
    await back('?error=access_denied&error_description=%3Cb%3E&state=s');
    expect(handedOn()).toEqual({ state: 's', code: undefined, error: 'access_denied' });
    await back('');
    expect(handedOn()).toEqual({ state: undefined, code: undefined, error: undefined });
    await back('?state=&code=&error=');
    expect(handedOn()).toEqual({ state: undefined, code: undefined, error: undefined });
    await back(`?state=${'s'.repeat(3_000)}&code=${'c'.repeat(3_000)}`);
    expect([handedOn()?.state?.length, handedOn()?.code?.length]).toEqual([512, 512]);
    for (const error of ['%00', '%3Cscript%3E', 'A'.repeat(100), '%E0%A4%A']) {
      await back(`?state=s&error=${error}`);
      expect(handedOn()?.error).toBe('unknown');
    }
  });

  test('reads a page that nobody keeps, frames or scripts', async () => {
    const page = await back('?state=s');
    expect(page.status).toBe(400);
    const text = await page.text();
    expect(text).toContain('the relay never made this link');
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    const style = /<style>([\s\S]*?)<\/style>/.exec(text)?.[1] ?? '';
    const hash = createHash('sha256').update(style).digest('base64');
    expect(page.headers.get('content-security-policy')).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
  });

  test('with foreign names reads them as text', async () => {
    const hostile = '<script>alert(1)</script>';
    world.authorizations.end = {
      kind: 'completed',
      botName: hostile,
      twitchLogin: hostile,
      renewed: false,
      scopes: [hostile],
      for: 'browser',
    };
    const page = await back('?state=s&code=c');
    expect(page.status).toBe(200);
    const text = await page.text();
    expect(text).not.toContain('<script');
    expect(text).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  });

  test('finds its state and code neither in the page nor in the log, whatever happens', async () => {
    const faults = [
      null,
      new RelayError('twitch_unreachable', 503, 'Twitch does not answer'),
      new Error('hidden'),
    ];
    const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    const statuses: number[] = [];
    for (const fault of [...faults, away]) {
      world.authorizations.fault = fault;
      const page = await back('?state=state-canary&code=code-canary&error_description=text-canary');
      statuses.push(page.status);
      const text = await page.text();
      expect(text).toMatch(/<h1>[A-Z]/);
      expect(text).not.toMatch(/canary|hidden|ECONNREFUSED/);
    }
    expect(statuses).toEqual([400, 503, 500, 503]);
    expect(world.lines.filter((line) => line.includes('/oauth/callback')).length).toBeGreaterThanOrEqual(7);
    expect(world.lines.join('')).not.toContain('canary');
  });

  test('is not taken for one by a program that only looks', async () => {
    const looked = await back('?state=s&code=c', 'HEAD');
    expect(looked.status).toBe(405);
    const posted = await back('?state=s&code=c', 'POST');
    expect(posted.status).toBe(405);
    expect(world.authorizations.calls).toEqual([]);
  });
});

describe('checks', () => {
  test('have a line for the house, for Twitch and for every bot', async () => {
    const { bot } = await world.store.bots.upsert({
      name: 'desk',
      twitchUserId: '900',
      twitchLogin: 'botty',
      scopes: [],
      accessToken: 'a-very-secret-token',
      refreshToken: null,
      expiresAt: null,
    });
    world.upstream = {
      unreachable: null,
      clockAheadMs: 40_000,
      tokens: new Map([[bot.id, 'reauth_required']]),
    };
    const answer = await world.admin('GET', '/v1/admin/checks');
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
    const text = await answer.text();
    expect(text).not.toContain('secret-token');
    const { checks } = checksView.parse(JSON.parse(text));
    expect(checks.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'database ok',
      'twitch ok',
      'clock failed',
      'token failed',
      'scopes ok',
      'budget ok',
      'session ok',
    ]);
    expect(checks.find(({ name }) => name === 'token')?.advice).toContain(bot.id);
  });

  test('are made without the database, too', async () => {
    const away = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    await using broken = await httpWorld(database, (deps) => ({
      store: { ...deps.store, bots: { ...deps.store.bots, list: () => Promise.reject(away) } },
      readiness: [{ name: 'database', check: () => Promise.reject(away) }],
    }));
    const { checks } = checksView.parse(await (await broken.admin('GET', '/v1/admin/checks')).json());
    expect(checks.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'database failed',
      'twitch ok',
      'clock ok',
    ]);
  });
});
