// The page at /docs in a real browser: every operation is on it, "try it" asks this relay, nobody else is asked anything.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { operations } from '../../src/http/openapi/operations/index.ts';
import { browserPath, browserRequired } from '../support/browser.ts';
import { browserPage, type BrowserPage } from '../support/browser-page.ts';
import { httpWorld, type HttpWorld } from '../support/http-world.ts';
import { sharedDatabase, type TestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';

const hasBrowser = browserPath() !== undefined || browserRequired();
let place: TestDatabase;
let world: HttpWorld;
beforeAll(async () => {
  place = await sharedDatabase();
  world = await httpWorld(await place.open());
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const shown = (page: BrowserPage, selector: string) =>
  page.evaluate<number>(`document.querySelectorAll(${JSON.stringify(selector)}).length`);
const seen = (page: BrowserPage, selector: string) =>
  until(async () => (await shown(page, selector)) > 0, { what: selector, timeoutMs: 15_000 });
const click = async (page: BrowserPage, selector: string) => {
  await seen(page, selector);
  await page.evaluate(`document.querySelector(${JSON.stringify(selector)}).click()`);
};

describe('the page at /docs', () => {
  it.runIf(hasBrowser)('shows every operation, and sends what is tried', { timeout: 40_000 }, async () => {
    await using page = await browserPage();
    await page.open(`${world.url}/docs`);
    await seen(page, '.opblock');
    expect(await shown(page, '.opblock')).toBe(operations.length);
    expect(await page.evaluate('document.title')).toBe('eventsub-relay: the API');

    const health = '#operations-Status-getHealth';
    await click(page, `${health} .opblock-summary-control`);
    await click(page, `${health} .try-out__btn`);
    const before = world.lines.filter((line) => line.includes('"path":"/health"')).length;
    await click(page, `${health} .execute`);
    await seen(page, `${health} .live-responses-table .response-col_status`);
    const answer = await page.evaluate<string>(
      `document.querySelector('${health} .live-responses-table').innerText`,
    );
    expect(answer).toMatch(/200[\s\S]*"ok": true/);
    expect(world.lines.filter((line) => line.includes('"path":"/health"'))).toHaveLength(before + 1);

    const elsewhere = page.requests.filter((url) => !url.startsWith(world.url) && !url.startsWith('data:'));
    expect(elsewhere).toEqual([]);
    expect(page.complaints).toEqual([]);
    expect(await page.evaluate<number>('localStorage.length')).toBe(0);
  });

  it('comes with a policy that forbids everything foreign', async () => {
    const response = await fetch(`${world.url}/docs`);
    const html = await response.text();
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('content-security-policy')).toMatch(
      /default-src 'none'; script-src 'self'; .*connect-src 'self'/,
    );
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|\son\w+=|https?:\/\//);
    expect(html.match(/(?:src|href)="docs\/[^"]+"/g)).toHaveLength(5);
  });

  it('serves its files with a type and a tag, and no other file', async () => {
    const html = await (await fetch(`${world.url}/docs`)).text();
    const files = [...html.matchAll(/"(docs\/[^"]+)"/g)].map((match) => match[1] ?? '');
    for (const file of files) {
      const url = `${world.url}/${file}`;
      const response = await fetch(url);
      const etag = response.headers.get('etag') ?? '';
      expect([file, response.status]).toEqual([file, 200]);
      expect(response.headers.get('content-type')).toMatch(
        /^(text\/(javascript|css); charset=utf-8|image\/png)$/,
      );
      expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(100);
      const again = await fetch(url, { headers: { 'if-none-match': `W/${etag}` } });
      expect([file, again.status, await again.text()]).toEqual([file, 304, '']);
    }
    for (const other of ['package.json', 'swagger-ui.js', '..%2fpackage.json', 'constructor', '%2e%2e']) {
      const response = await fetch(`${world.url}/docs/${other}`);
      expect([other, response.status]).toEqual([other, 404]);
    }
  });
});
