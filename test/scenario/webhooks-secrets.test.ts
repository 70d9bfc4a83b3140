// Canaries through webhook delivery: the endpoint's secrets, and what an operator put into its URL, are in no log line, no
// table in plain text, no history and no answer but the one that hands the secret out.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Database } from '../../src/store/database.ts';
import { Receiver } from '../support/receiver.ts';
import { sharedDatabase, type TestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';
import { adminKey, createWorld } from '../support/world.ts';

let place: TestDatabase;
let database: Database;
beforeAll(async () => {
  place = await sharedDatabase();
  database = await place.open();
});
afterAll(async () => place[Symbol.asyncDispose]());

async function tables(): Promise<Map<string, string>> {
  const names = await database.pool.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'`,
  );
  const found = new Map<string, string>();
  for (const { name } of names.rows) {
    const rows = await database.pool.query(`SELECT row_to_json(t)::text AS row FROM "${name}" t`);
    found.set(name, JSON.stringify(rows.rows));
  }
  return found;
}

it(
  'no secret of an endpoint is anywhere but in the answer that hands it out',
  { timeout: 60_000 },
  async () => {
    await using receiver = await Receiver.start();
    await using world = await createWorld({ database, testDatabase: place, env: { LOG_LEVEL: 'trace' } });
    const bot = await world.addBot();
    const service = await world.addService();
    const inUrl = 'canary-in-the-path-7f3a';
    const { endpoint_id: id } = await world.addWebhook(service, bot, 'channel.follow', receiver, {
      path: `/${inUrl}?token=${inUrl}-query`,
    });
    const rotated = await world.call<{ webhook_secret: string }>(
      'POST',
      `/v1/endpoints/${id}/rotate-secret?grace_seconds=600`,
      { as: service },
    );
    receiver.secrets.push(rotated.body.webhook_secret);
    const secrets = receiver.secrets.flatMap((secret) => [secret, secret.replace('whsec_', '')]);
    expect(secrets).toHaveLength(4);

    // A receiver that prints its environment when it fails, and one that is unreachable, and one that is refused.
    receiver.reply = () => ({
      status: 500,
      body: `SECRETS ${receiver.secrets.join(' and ')} ${secrets.join()}`,
    });
    const send = () => world.sim.send('channel.follow', { broadcaster_user_id: bot.user.id });
    send();
    await until(() => receiver.requests.some(({ event }) => event.provider === 'twitch'), {
      what: 'the failure',
    });
    const tested = await world.call('POST', `/v1/endpoints/${id}/test`, { as: service });
    expect(tested.body).toMatchObject({ status: 500 });
    await until(async () => (await world.attempts(service)).some(({ status }) => status === 500), {
      what: 'history',
    });
    await receiver.down();
    send();
    await until(
      async () => (await world.attempts(service)).some(({ outcome }) => outcome === 'connection_refused'),
      {
        what: 'the refusal in the history',
      },
    );
    const bad = async (body: object) => world.call('POST', '/v1/interests', { as: service, body });
    const wish = { bot_account_id: bot.id, event_type: 'channel.follow', transport: 'webhook' };
    const answers: unknown[] = [
      tested.body,
      await world.attempts(service),
      (await world.call('PATCH', `/v1/endpoints/${id}`, { as: service, body: { secret: secrets[0] } }))
        .status,
      (await bad({ ...wish, webhook_url: `http://user:${secrets[0]}@example.com/` })).body,
      (await bad({ ...wish, webhook_url: `http://10.1.2.3/${secrets[1]}` })).body,
      (await bad({ ...wish, webhook_url: `ftp://example.com/${secrets[2]}` })).body,
      (await world.call('GET', '/v1/interests', { as: service })).body,
      (await world.call('GET', '/v1/endpoints', { as: service })).body,
      await world.log(service),
      await (await fetch(new URL('/metrics', world.url), { headers: { 'X-Admin-Key': adminKey } })).text(),
    ];
    await world.stop();
    const stored = await tables();
    for (const secret of secrets) {
      expect(world.logs.filter((line) => line.includes(secret))).toEqual([]);
      expect([...stored].filter(([, text]) => text.includes(secret)).map(([name]) => name)).toEqual([]);
      expect(answers.map((answer) => JSON.stringify(answer)).filter((text) => text.includes(secret))).toEqual(
        [],
      );
    }
    // The URL is the owner's own: it is in its rows and shown to it, and nowhere else.
    expect(world.logs.filter((line) => line.includes(inUrl))).toEqual([]);
    expect(
      [...stored]
        .filter(([, text]) => text.includes(inUrl))
        .map(([name]) => name)
        .toSorted(),
    ).toEqual(['endpoint', 'interest']);
  },
);
