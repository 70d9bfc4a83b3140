// The numbers of a relay that runs: every name that the dashboard and the alerts use is there, every alert has its page in the
// runbook, and what happens is what is counted.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Receiver } from '../support/receiver.ts';
import { until } from '../support/until.ts';
import { adminKey, worlds, type World } from '../support/world.ts';

const all = worlds();
beforeAll(() => all.open());
afterAll(() => all.close());

const read = (name: string) => readFileSync(join(import.meta.dirname, '..', '..', 'docs', name), 'utf8');

async function scrape(world: World, accept?: string): Promise<string> {
  const headers = { 'X-Admin-Key': adminKey, ...(accept === undefined ? {} : { accept }) };
  return (await fetch(new URL('/metrics', world.url), { headers })).text();
}

/** The names of samples as a query writes them. A metric whose label has no value yet counts by its description. */
function namesIn(text: string): Set<string> {
  const names = new Set([...text.matchAll(/^(relay_\w+)/gm)].map((match) => match[1] ?? ''));
  for (const [, name = '', type] of text.matchAll(/^# TYPE (relay_\w+) (\w+)$/gm)) {
    names.add(type === 'counter' ? `${name}_total` : name);
  }
  return names;
}

const value = (text: string, sample: string) =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${sample} `))
      ?.slice(sample.length + 1),
  );

describe('the metrics of a running relay', () => {
  it('have every name that the dashboard and the alerts ask for, and tell what happened', async () => {
    await using world = await all.create();
    const bot = await world.addBot();
    const service = await world.addService();
    await world.addInterest(service, bot, 'channel.follow');
    await using receiver = await Receiver.start();
    await world.addWebhook(service, bot, 'channel.follow', receiver);
    const consumer = await world.consumer(service);
    for (let n = 0; n < 3; n++) world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    await consumer.got(3);
    const text = await until(
      async () => {
        const now = await scrape(world);
        const delivered = (path: string) => value(now, `relay_delivery_seconds_count{path="${path}"}`);
        return delivered('relay.v1') >= 3 && delivered('webhook') >= 3 ? now : undefined;
      },
      { what: 'the numbers' },
    );
    expect(value(text, 'relay_events_sent_total{protocol="relay.v1"}')).toBeGreaterThanOrEqual(3);
    expect(value(text, 'relay_authorizations_total{kind="import",outcome="completed"}')).toBe(1);
    expect(await scrape(world, 'application/openmetrics-text')).toMatch(/# EOF\n$/);
    expect(value(text, 'relay_notifications_total{type="channel.follow"}')).toBe(3);
    expect(value(text, `relay_upstream_sessions{bot="${bot.id}"}`)).toBe(1);
    expect(value(text, `relay_upstream_subscriptions{bot="${bot.id}"}`)).toBe(1);
    expect(value(text, `relay_bot_healthy{bot="${bot.id}"}`)).toBe(1);
    expect(value(text, 'relay_upstream_subscriptions_limit')).toBe(900);
    expect(value(text, 'relay_connections{protocol="relay.v1"}')).toBe(1);
    expect(value(text, 'relay_log_writable')).toBe(1);
    expect(value(text, 'relay_log_head')).toBeGreaterThanOrEqual(3);
    expect(value(text, 'relay_process_resident_bytes')).toBeGreaterThan(1_000_000);
    expect(text).toMatch(/^relay_build_info\{version="\d+\.\d+\.\d+"\} 1$/m);

    const known = namesIn(text);
    for (const page of ['grafana-dashboard.json', 'prometheus-alerts.yml']) {
      const asked = [...new Set([...read(page).matchAll(/\brelay_\w+/g)].map(([name]) => name))];
      expect(asked.length).toBeGreaterThan(15);
      expect(asked.filter((name) => !known.has(name))).toEqual([]);
    }
    // And nothing is counted that nobody looks at.
    const shown = read('grafana-dashboard.json');
    const unseen = [...known].map((name) => name.replace(/_(bucket|sum|count)$/, ''));
    expect([...new Set(unseen)].filter((name) => !shown.includes(name))).toEqual([]);
    // Health is a word about the process, and asks for no key.
    expect((await fetch(new URL('/health', world.url))).status).toBe(200);
    expect((await fetch(new URL('/metrics', world.url))).status).toBe(401);
  });
});

describe('the alerts', () => {
  const alerts = [...read('prometheus-alerts.yml').matchAll(/- alert: (\w+)/g)].map((match) => match[1]);
  it('each have a section of the runbook, and the other way round', () => {
    const section = /## Alerts\n([\s\S]*?)\n## /.exec(read('operations.md'))?.[1] ?? '';
    const sections = [...section.matchAll(/^### (\w+)$/gm)].map((match) => match[1]);
    expect(alerts.length).toBeGreaterThan(10);
    expect(sections).toEqual(alerts);
  });

  it('link to it', () => {
    const links = [...read('prometheus-alerts.yml').matchAll(/runbook: docs\/operations\.md#(\w+)/g)];
    expect(links.map((match) => match[1])).toEqual(alerts.map((name) => name?.toLowerCase()));
  });
});

it('the dashboard can be imported: a data source to choose, panels that do not overlap, every row of it', () => {
  const dashboard = JSON.parse(read('grafana-dashboard.json')) as {
    templating: { list: { name: string; type: string }[] };
    panels: {
      id: number;
      type: string;
      title: string;
      gridPos: { x: number; y: number; w: number; h: number };
    }[];
  };
  expect(dashboard.templating.list).toContainEqual(
    expect.objectContaining({ name: 'datasource', type: 'datasource' }),
  );
  const rows = dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title);
  expect(rows).toEqual(['The promise', 'Upstream', 'Log', 'Delivery', 'Webhooks', 'Process']);
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, n) => `${x + (n % w)} ${y + Math.floor(n / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
});
