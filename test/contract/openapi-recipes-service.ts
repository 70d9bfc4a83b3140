// Recipes (openapi-recipes.ts) for what a service calls.
import { randomUUID } from 'node:crypto';
import { encodeCursor } from '../../src/domain/cursor.ts';
import { failing, recipe, type Recipe, type Recipes } from './openapi-recipe.ts';
import type { Rig } from './openapi-rig.ts';

const nothing = () => ({});
const unknown = { params: { id: randomUUID() } };
const oneMore = { query: 'limit=1' };
const foreign = encodeCursor('anotherlog', 1);
const head = (rig: Rig) => encodeCursor(rig.world.feed.epoch, rig.world.feed.head());
const anEndpoint = async (rig: Rig) => ({ params: { id: await rig.endpoint() } });
const anInterest = async (rig: Rig) => ({ params: { id: (await rig.made(rig.hook())).id } });
const wished = (rig: Rig, more: object): Promise<Response> =>
  rig.ask('createInterest', { body: rig.wish(more) });
const refusedWish = (code: Parameters<typeof recipe>[2], more: object): Recipe =>
  recipe(422, (rig) => wished(rig, more), code);

/** Eleven channels that nobody has authorised cost one more than there is to spend. */
async function spend(rig: Rig): Promise<Response> {
  const bot_account_id = await rig.bot();
  for (let n = 0; ; n++) {
    const broadcaster_user_id = String(70_000 + n);
    const answer = await wished(rig, { bot_account_id, event_type: 'stream.online', broadcaster_user_id });
    if (answer.status !== 201 || n > 20) return answer;
  }
}

async function withEvents(rig: Rig): Promise<void> {
  const { topic_id: topicId } = await rig.made(rig.wish());
  await rig.world.log.append(
    [1, 2].map((n) => ({
      id: rig.name(),
      provider: 'twitch' as const,
      type: 'channel.follow',
      version: '2',
      eventTimestamp: '2026-11-21T03:00:00.123456789Z',
      receivedAt: 1_795_000_000_000 + n,
      botAccountId: rig.botId,
      audience: { kind: 'topic' as const, topicId },
      body: `"subscription":{"id":"s"},"event":{"n": ${n}}`,
    })),
  );
}

async function withAttempts(rig: Rig): Promise<void> {
  const endpointId = await rig.endpoint();
  const row = { endpointId, run: '', serviceAccountId: rig.worker.id, type: 'channel.follow', durationMs: 7 };
  const failed = { state: 'retrying' as const, outcome: 'timeout', status: null, response: null };
  const well = { state: 'delivered' as const, outcome: 'success', status: 204, response: 'fine' };
  await rig.world.store.webhookRows.record(
    [failed, well].map((came, n) => ({
      ...row,
      ...came,
      seq: 1,
      messageId: 'message',
      attempt: n + 1,
      startedAt: 1_795_000_000_000,
      nextAt: n === 0 ? 1_795_000_005_000 : null,
    })),
  );
}

const consumer = { params: { name: 'default' } };
const acked = (rig: Rig) => ({ ...consumer, body: { cursor: head(rig) } });
const replay = async (rig: Rig, more: object = {}) => ({
  body: { endpoint_id: await rig.endpoint(), from: '2026-11-21T03:00:00Z', ...more },
});

/** The receiver answers the challenge with `kind`, and not with its text. */
const unechoed =
  (kind: string, ask: (rig: Rig) => Promise<Response>): Recipe['give'] =>
  async (rig) => {
    rig.odd.webhooks.echoed = false;
    rig.odd.webhooks.outcome = {
      kind,
      status: kind === 'success' ? 200 : null,
      response: null,
      durationMs: 1,
    };
    return ask(rig);
  };
const enableOdd = async (rig: Rig) =>
  rig.ask('enableEndpoint', { params: { id: await rig.endpoint('disabled') }, to: rig.odd });
const createOdd = (rig: Rig) => rig.ask('createInterest', { body: rig.hook(), to: rig.odd });

const webhookOf = (id: string, body?: object): Recipes => ({
  usual: async (rig) => ({ ...(await anEndpoint(rig)), ...(body ? { body } : {}) }),
  answers: [
    recipe(200, async (rig) => rig.ask(id, { ...(await anEndpoint(rig)), ...(body ? { body } : {}) })),
    recipe(404, (rig) => rig.ask(id, { ...unknown, ...(body ? { body } : {}) }), 'unknown_endpoint'),
  ],
});
const plus = (recipes: Recipes, ...answers: readonly Recipe[]): Recipes => ({
  ...recipes,
  answers: [...recipes.answers, ...answers],
});

export const serviceRecipes: Readonly<Record<string, Recipes>> = {
  listAccessibleBots: {
    usual: nothing,
    answers: [recipe(200, (rig) => rig.ask('listAccessibleBots'))],
  },
  listSubscriptionTypes: {
    usual: nothing,
    answers: [recipe(200, (rig) => rig.ask('listSubscriptionTypes'))],
  },
  createInterest: {
    usual: (rig) => ({ body: rig.wish() }),
    answers: [
      recipe(201, (rig) => rig.ask('createInterest', { body: rig.hook() })),
      recipe(200, async (rig) => {
        const body = rig.hook();
        await rig.made(body);
        return rig.ask('createInterest', { body });
      }),
      recipe(
        401,
        failing(401, 'unknown_service', (rig) => wished(rig, {})),
        'unknown_service',
      ),
      recipe(
        403,
        async (rig) => {
          const as = await rig.world.service(rig.name());
          await rig.world.store.services.patch(as.clientId, { accessMode: 'restricted', botAccountIds: [] });
          return rig.ask('createInterest', { body: rig.wish(), as });
        },
        'bot_access_denied',
      ),
      recipe(404, (rig) => wished(rig, { bot_account_id: randomUUID() }), 'unknown_bot'),
      recipe(
        422,
        async (rig) => wished(rig, { bot_account_id: await rig.bot({ enabled: false }) }),
        'bot_disabled',
      ),
      recipe(
        422,
        async (rig) => wished(rig, { bot_account_id: await rig.bot({ state: 'reauth_required' }) }),
        'bot_reauth_required',
      ),
      recipe(422, spend, 'budget_exceeded'),
      recipe(
        422,
        async (rig) => {
          rig.world.webhooks.egress = 'webhook_url: this address is not allowed';
          const answer = await rig.ask('createInterest', { body: rig.hook() });
          rig.world.webhooks.egress = null;
          return answer;
        },
        'egress_refused',
      ),
      recipe(422, unechoed('success', createOdd), 'challenge_failed'),
      recipe(503, unechoed('ours', createOdd), 'challenge_unavailable'),
      refusedWish('invalid_condition', { condition: { nonsense: '1' } }),
      refusedWish('missing_scopes', { event_type: 'channel.moderate' }),
      refusedWish('not_over_websocket', { event_type: 'drop.entitlement.grant' }),
      refusedWish('type_removed', { version: '1' }),
      refusedWish('unknown_type', { event_type: 'channel.folow' }),
      refusedWish('unknown_user', { broadcaster_user_id: 'nobody_at_all' }),
      refusedWish('unknown_version', { version: '99' }),
      recipe(503, (rig) => wished(rig, { broadcaster_user_id: 'away' }), 'twitch_unreachable'),
      recipe(
        503,
        failing(503, 'interest_contended', (rig) => wished(rig, {})),
        'interest_contended',
      ),
    ],
  },
  listInterests: {
    usual: nothing,
    answers: [
      recipe(200, async (rig) => {
        await anInterest(rig);
        await anInterest(rig);
        return rig.ask('listInterests', oneMore);
      }),
    ],
  },
  getInterest: {
    usual: anInterest,
    answers: [
      recipe(200, async (rig) => rig.ask('getInterest', await anInterest(rig))),
      recipe(404, (rig) => rig.ask('getInterest', unknown), 'unknown_interest'),
    ],
  },
  removeInterest: {
    usual: anInterest,
    answers: [
      recipe(200, async (rig) => rig.ask('removeInterest', await anInterest(rig))),
      recipe(404, (rig) => rig.ask('removeInterest', unknown), 'unknown_interest'),
    ],
  },
  listEvents: {
    usual: nothing,
    answers: [
      recipe(200, async (rig) => {
        await withEvents(rig);
        return rig.ask('listEvents', oneMore);
      }),
      recipe(410, (rig) => rig.ask('listEvents', { query: `after=${foreign}` }), 'cursor_expired'),
    ],
  },
  listConsumers: {
    usual: nothing,
    answers: [
      recipe(200, async (rig) => {
        for (const name of ['one', 'two'])
          await rig.ask('acknowledge', { params: { name }, body: { cursor: head(rig) } });
        return rig.ask('listConsumers', oneMore);
      }),
    ],
  },
  acknowledge: {
    usual: acked,
    answers: [
      recipe(200, (rig) => rig.ask('acknowledge', acked(rig))),
      recipe(
        410,
        (rig) => rig.ask('acknowledge', { ...consumer, body: { cursor: foreign } }),
        'cursor_expired',
      ),
      recipe(
        422,
        failing(422, 'cursor_ahead', (rig) => rig.ask('acknowledge', acked(rig))),
        'cursor_ahead',
      ),
    ],
  },
  createWsToken: { usual: nothing, answers: [recipe(200, (rig) => rig.ask('createWsToken'))] },
  listEndpoints: {
    usual: nothing,
    answers: [
      recipe(200, async (rig) => {
        await rig.endpoint();
        await rig.endpoint();
        return rig.ask('listEndpoints', oneMore);
      }),
    ],
  },
  getEndpoint: webhookOf('getEndpoint'),
  patchEndpoint: webhookOf('patchEndpoint', { retry_profile: 'realtime' }),
  rotateEndpointSecret: webhookOf('rotateEndpointSecret'),
  enableEndpoint: plus(
    webhookOf('enableEndpoint'),
    recipe(
      409,
      async (rig) => {
        rig.odd.webhooks.gone = true;
        const answer = await enableOdd(rig);
        rig.odd.webhooks.gone = false;
        return answer;
      },
      'endpoint_disabled',
    ),
    recipe(422, unechoed('success', enableOdd), 'challenge_failed'),
    recipe(503, unechoed('ours', enableOdd), 'challenge_unavailable'),
  ),
  testEndpoint: plus(
    webhookOf('testEndpoint'),
    recipe(
      409,
      async (rig) => {
        rig.world.webhooks.gone = true;
        const answer = await rig.ask('testEndpoint', await anEndpoint(rig));
        rig.world.webhooks.gone = false;
        return answer;
      },
      'endpoint_disabled',
    ),
  ),
  listDeliveries: {
    usual: nothing,
    answers: [
      recipe(200, async (rig) => {
        await withAttempts(rig);
        return rig.ask('listDeliveries', oneMore);
      }),
    ],
  },
  replayDeliveries: {
    usual: replay,
    answers: [
      recipe(200, async (rig) => rig.ask('replayDeliveries', await replay(rig, { dry_run: true }))),
      recipe(
        404,
        async (rig) => rig.ask('replayDeliveries', await replay(rig, { endpoint_id: randomUUID() })),
        'unknown_endpoint',
      ),
      recipe(
        410,
        async (rig) =>
          rig.ask('replayDeliveries', { body: { endpoint_id: await rig.endpoint(), from_cursor: foreign } }),
        'cursor_expired',
      ),
      recipe(
        422,
        async (rig) => {
          const asked = await replay(rig);
          const tooMany = failing(422, 'replay_too_large', () => rig.ask('replayDeliveries', asked), {
            max_events: 100_000,
          });
          return tooMany(rig);
        },
        'replay_too_large',
      ),
    ],
  },
};
