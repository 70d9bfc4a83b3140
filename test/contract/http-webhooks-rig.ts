// What the tests of webhook delivery over HTTP share: a world with a bot and a service, made afresh for each test, and the
// few calls that all of them make. It has no opinion of its own beyond "that call succeeded".
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { EventDraft } from '../../src/domain/event.ts';
import type { HttpDeps } from '../../src/http/port.ts';
import * as shapes from '../../src/protocol/index.ts';
import type { Database } from '../../src/store/database.ts';
import { httpWorld, type HttpWorld, type ServiceCaller } from '../support/http-world.ts';
import { sharedDatabase, type TestDatabase } from '../support/test-database.ts';

/** Every text in it that must not show elsewhere holds the canary. */
export const url = 'https://receiver.test/hook-with-a-canary?key=canary';

export class WebhooksRig {
  declare place: TestDatabase;
  declare database: Database;
  declare world: HttpWorld;
  declare worker: ServiceCaller;
  botId = '';

  async open(replace: Partial<HttpDeps> = {}): Promise<void> {
    await this.place.reset();
    this.world = await httpWorld(this.database, () => replace);
    const { bot } = await this.world.store.bots.upsert({
      name: 'bot',
      twitchUserId: '900',
      twitchLogin: 'botty',
      scopes: ['user:read:chat', 'moderator:read:followers'],
      accessToken: 'a-very-secret-token',
      refreshToken: null,
      expiresAt: null,
    });
    this.botId = bot.id;
    this.worker = await this.world.service();
  }

  create(more: object = {}, caller = this.worker): Promise<Response> {
    return caller.call('POST', '/v1/interests', {
      bot_account_id: this.botId,
      event_type: 'channel.follow',
      broadcaster_user_id: '12826',
      transport: 'webhook',
      webhook_url: url,
      ...more,
    });
  }

  async made(more: object = {}, caller = this.worker): Promise<shapes.CreatedInterest> {
    const response = await this.create(more, caller);
    expect(response.status).toBe(201);
    return shapes.createdInterest.parse(await response.json());
  }

  /** The id of the endpoint that the wish made or found. */
  async endpointOf(more: object = {}, caller = this.worker): Promise<string> {
    return (await this.made(more, caller)).endpoint_id ?? 'none';
  }

  async endpoint(id: string, caller = this.worker): Promise<shapes.EndpointView> {
    const response = await caller.call('GET', `/v1/endpoints/${id}`);
    expect(response.status).toBe(200);
    return shapes.endpointView.parse(await response.json());
  }

  /** As the delivery does it after a 410. */
  async disable(id: string): Promise<void> {
    await this.database.pool.query(
      `UPDATE endpoint SET state = 'disabled', code = 'gone', reason = 'it answered 410', failing_since = now(),
              failures_in_row = 3, probe_at = now() WHERE id = $1`,
      [id],
    );
  }

  /** What the delivery was asked to do, by name. */
  asked(): string[] {
    return this.world.webhooks.calls.map(([name]) => name);
  }

  draft(n: number, topicId: string): EventDraft {
    return {
      id: `message-${n}`,
      provider: 'twitch',
      type: 'channel.follow',
      version: '2',
      eventTimestamp: '2026-11-21T03:00:00.123456789Z',
      receivedAt: 1_795_000_000_000 + n,
      botAccountId: this.botId,
      audience: { kind: 'topic', topicId },
      body: `"subscription":{"id":"s"},"event":{"n": ${n}}`,
    };
  }

  append(topicId: string, count: number): Promise<unknown> {
    return this.world.log.append(Array.from({ length: count }, (_, n) => this.draft(n + 1, topicId)));
  }
}

/** Opened before and closed after each test of the file. */
export function webhooksRig(replace: Partial<HttpDeps> = {}): WebhooksRig {
  const rig = new WebhooksRig();
  beforeAll(async () => {
    rig.place = await sharedDatabase();
    rig.database = await rig.place.open();
  });
  afterAll(async () => rig.place[Symbol.asyncDispose]());
  beforeEach(() => rig.open(replace));
  afterEach(async () => rig.world[Symbol.asyncDispose]());
  return rig;
}

export async function problem(response: Response, status: number, code: string): Promise<shapes.Problem> {
  const body = shapes.problem.parse(await response.json());
  expect([response.status, body.code, body.detail]).toEqual([status, code, body.detail]);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  return body;
}

export const paths = (body: shapes.Problem): string[] => (body.errors ?? []).map((error) => error.path);

/** The path of the next page, or ''. */
export const nextOf = (response: Response): string =>
  /<([^>]+)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1] ?? '';
