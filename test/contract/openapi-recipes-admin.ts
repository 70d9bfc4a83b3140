// Recipes (openapi-recipes.ts) for what the admin calls, and for what anybody may.
import { randomUUID } from 'node:crypto';
import type { AuthorizationEnd } from '../../src/http/port-accounts.ts';
import { failing, recipe, type Recipe, type Recipes } from './openapi-recipe.ts';
import { withdrawn, type Rig } from './openapi-rig.ts';

const nothing = () => ({});
const theBot = (rig: Rig) => ({ params: { id: rig.botId } });
const noBot = { params: { id: randomUUID() } };
const oneMore = { query: 'limit=1' };
const clientOf = async (rig: Rig) => ({
  params: { client_id: (await rig.world.service(rig.name())).clientId },
});
const nobody = { params: { client_id: 'svc_00000000000000000000' } };

async function authorization(rig: Rig, id: 'authorizeBot' | 'authorizeBroadcaster') {
  const answer = await rig.ask(id, { body: {} });
  const { id: made } = (await answer.json()) as { id: string };
  return { params: { id: made } };
}

const completed: AuthorizationEnd = {
  kind: 'completed',
  botName: 'night-bot',
  twitchLogin: 'night_bot',
  renewed: false,
  scopes: ['user:read:chat'],
  for: 'browser',
};
const refused = (code: string): AuthorizationEnd => ({ kind: 'refused', code, reason: 'for a reason' });
const back = (status: number, end: AuthorizationEnd): Recipe =>
  recipe(status, (rig) => {
    rig.world.authorizations.end = end;
    return rig.ask('finishAuthorization', { query: 'state=x&code=y' });
  });
const typeRefusals = (id: 'authorizeBot' | 'authorizeBotByDevice' | 'authorizeBroadcaster'): Recipe[] => [
  recipe(422, (rig) => rig.ask(id, { body: { event_types: ['channel.folow'] } }), 'unknown_type'),
  recipe(422, (rig) => rig.ask(id, { body: { event_types: [webhookOnly] } }), 'not_over_websocket'),
  recipe(422, (rig) => rig.ask(id, { body: { event_types: [withdrawn] }, to: rig.odd }), 'type_removed'),
];
const webhookOnly = 'drop.entitlement.grant';
const twice = async (rig: Rig, id: string): Promise<Response> => {
  const first = await rig.ask(id);
  return fetch(first.url, { headers: { 'if-none-match': first.headers.get('etag') ?? '' } });
};
const read = (id: string): Recipes => ({
  usual: nothing,
  answers: [recipe(200, (rig) => rig.ask(id)), recipe(304, (rig) => twice(rig, id))],
});
const file = { params: { file: 'swagger-ui.css' } };

export const adminRecipes: Readonly<Record<string, Recipes>> = {
  getHealth: { usual: nothing, answers: [recipe(200, (rig) => rig.ask('getHealth'))] },
  getReadiness: {
    usual: nothing,
    answers: [
      recipe(200, (rig) => rig.ask('getReadiness')),
      recipe(503, async (rig) => {
        const { status } = rig.world;
        rig.world.status = { ...status, healthy: false, detail: 'not connected' };
        const answer = await rig.ask('getReadiness');
        rig.world.status = status;
        return answer;
      }),
    ],
  },
  getMetrics: {
    usual: nothing,
    answers: [
      recipe(200, (rig) => rig.ask('getMetrics')),
      recipe(200, (rig) => rig.ask('getMetrics', { accept: 'text/plain' })),
    ],
  },
  getChecks: { usual: nothing, answers: [recipe(200, (rig) => rig.ask('getChecks'))] },
  listBots: { usual: nothing, answers: [recipe(200, (rig) => rig.ask('listBots', oneMore))] },
  importBot: {
    usual: (rig) => ({ body: { name: rig.name(), access_token: 'good' } }),
    answers: [
      recipe(200, (rig) => rig.ask('importBot', { body: { name: rig.name(), access_token: 'good' } })),
      ...(
        [
          [409, 'name_taken'],
          [422, 'token_invalid'],
          [422, 'wrong_client'],
          [422, 'missing_scopes'],
          [503, 'twitch_unreachable'],
        ] as const
      ).map(([status, code]) =>
        recipe(
          status,
          failing(status, code, (rig) => rig.ask('importBot', { body: { access_token: 'any' } })),
          code,
        ),
      ),
    ],
  },
  patchBot: {
    usual: (rig) => ({ ...theBot(rig), body: { enabled: true } }),
    answers: [
      recipe(200, (rig) => rig.ask('patchBot', { ...theBot(rig), body: { enabled: true } })),
      recipe(404, (rig) => rig.ask('patchBot', { ...noBot, body: { enabled: true } }), 'unknown_bot'),
      recipe(
        409,
        async (rig) => {
          const name = (await rig.world.store.bots.get(await rig.bot()))?.name;
          return rig.ask('patchBot', { ...theBot(rig), body: { name } });
        },
        'name_taken',
      ),
    ],
  },
  removeBot: {
    usual: theBot,
    answers: [
      recipe(200, async (rig) => rig.ask('removeBot', { params: { id: await rig.bot() } })),
      recipe(404, (rig) => rig.ask('removeBot', noBot), 'unknown_bot'),
    ],
  },
  refreshBot: {
    usual: theBot,
    answers: [
      recipe(200, (rig) => rig.ask('refreshBot', theBot(rig))),
      recipe(404, (rig) => rig.ask('refreshBot', noBot), 'unknown_bot'),
      ...(
        [
          [422, 'reauth_required'],
          [422, 'no_refresh_token'],
          [503, 'twitch_unreachable'],
        ] as const
      ).map(([status, code]) =>
        recipe(
          status,
          failing(status, code, (rig) => rig.ask('refreshBot', theBot(rig))),
          code,
        ),
      ),
    ],
  },
  authorizeBot: {
    usual: () => ({ body: {} }),
    answers: [
      recipe(201, (rig) => rig.ask('authorizeBot', { body: { event_types: ['channel.follow'] } })),
      recipe(
        404,
        (rig) => rig.ask('authorizeBot', { body: { bot_account_id: randomUUID() } }),
        'unknown_bot',
      ),
      ...typeRefusals('authorizeBot'),
    ],
  },
  authorizeBotByDevice: {
    usual: () => ({ body: {} }),
    answers: [
      recipe(201, (rig) => rig.ask('authorizeBotByDevice', { body: {} })),
      recipe(
        404,
        (rig) => rig.ask('authorizeBotByDevice', { body: { bot_account_id: randomUUID() } }),
        'unknown_bot',
      ),
      ...typeRefusals('authorizeBotByDevice'),
      ...(
        [
          [422, 'device_refused'],
          [503, 'twitch_unreachable'],
        ] as const
      ).map(([status, code]) =>
        recipe(
          status,
          failing(status, code, (rig) => rig.ask('authorizeBotByDevice', { body: {} })),
          code,
        ),
      ),
    ],
  },
  getAuthorization: {
    usual: (rig) => authorization(rig, 'authorizeBot'),
    answers: [
      recipe(200, async (rig) => rig.ask('getAuthorization', await authorization(rig, 'authorizeBot'))),
      recipe(404, (rig) => rig.ask('getAuthorization', noBot), 'unknown_authorization'),
    ],
  },
  authorizeBroadcaster: {
    usual: () => ({ body: {} }),
    answers: [
      recipe(201, (rig) => rig.ask('authorizeBroadcaster', { body: {} })),
      recipe(201, (rig) => rig.ask('authorizeBroadcaster', { body: {}, as: 'admin' })),
      recipe(
        401,
        failing(401, 'unknown_service', (rig) => rig.ask('authorizeBroadcaster', { body: {} })),
        'unknown_service',
      ),
      ...typeRefusals('authorizeBroadcaster'),
    ],
  },
  getBroadcasterAuthorization: {
    usual: (rig) => authorization(rig, 'authorizeBroadcaster'),
    answers: [
      recipe(200, async (rig) =>
        rig.ask('getBroadcasterAuthorization', await authorization(rig, 'authorizeBroadcaster')),
      ),
      recipe(404, (rig) => rig.ask('getBroadcasterAuthorization', noBot), 'unknown_authorization'),
    ],
  },
  finishAuthorization: {
    usual: nothing,
    answers: [
      back(200, completed),
      back(400, refused('state_used')),
      back(403, refused('access_denied')),
      back(409, refused('wrong_user')),
      back(500, refused('internal_error')),
      back(503, refused('twitch_unreachable')),
    ],
  },
  createService: {
    usual: (rig) => ({ query: `name=${rig.name()}` }),
    answers: [
      recipe(201, (rig) => rig.ask('createService', { query: `name=${rig.name()}` })),
      recipe(409, (rig) => rig.ask('createService', { query: 'name=worker' }), 'name_taken'),
    ],
  },
  listServices: { usual: nothing, answers: [recipe(200, (rig) => rig.ask('listServices', oneMore))] },
  patchService: {
    usual: async (rig) => ({ ...(await clientOf(rig)), body: { enabled: true } }),
    answers: [
      recipe(200, async (rig) =>
        rig.ask('patchService', {
          ...(await clientOf(rig)),
          body: { access_mode: 'restricted', bot_account_ids: [rig.botId] },
        }),
      ),
      recipe(
        404,
        (rig) => rig.ask('patchService', { ...nobody, body: { enabled: true } }),
        'unknown_service',
      ),
      recipe(
        422,
        async (rig) =>
          rig.ask('patchService', { ...(await clientOf(rig)), body: { bot_account_ids: [randomUUID()] } }),
        'unknown_bot',
      ),
    ],
  },
  removeService: {
    usual: clientOf,
    answers: [
      recipe(200, async (rig) => rig.ask('removeService', await clientOf(rig))),
      recipe(404, (rig) => rig.ask('removeService', nobody), 'unknown_service'),
    ],
  },
  regenerateService: {
    usual: clientOf,
    answers: [
      recipe(200, async (rig) =>
        rig.ask('regenerateService', { ...(await clientOf(rig)), query: 'grace_seconds=60' }),
      ),
      recipe(404, (rig) => rig.ask('regenerateService', nobody), 'unknown_service'),
    ],
  },
  getOpenApi: read('getOpenApi'),
  getAsyncApi: read('getAsyncApi'),
  getDocs: read('getDocs'),
  getDocsFile: {
    usual: () => file,
    answers: [
      recipe(200, (rig) => rig.ask('getDocsFile', file)),
      recipe(304, async (rig) => {
        const first = await rig.ask('getDocsFile', file);
        return fetch(first.url, { headers: { 'if-none-match': first.headers.get('etag') ?? '' } });
      }),
      recipe(404, (rig) => rig.ask('getDocsFile', { params: { file: 'package.json' } }), 'not_found'),
    ],
  },
};
