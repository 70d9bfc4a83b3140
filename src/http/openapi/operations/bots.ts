// Bot accounts: what there is, bringing one in with a token, changing it, taking it out.
import type { Operation } from '../operation.ts';
import { idPath, pageQuery } from '../parameters.ts';

const unknown = { 404: ['unknown_bot'] } as const;
const id = idPath('bot');

export const botOperations: readonly Operation[] = [
  {
    id: 'listBots',
    method: 'get',
    path: '/v1/bots',
    tag: 'Bots',
    who: 'admin',
    summary: 'All bots, with their sessions and budgets',
    query: pageQuery('name'),
    database: true,
    answers: { 200: { description: 'In the order of names.', schema: 'Bot', list: true, headers: ['Link'] } },
  },
  {
    id: 'listAccessibleBots',
    method: 'get',
    path: '/v1/bots/accessible',
    tag: 'Bots',
    who: 'service',
    summary: 'The bots that this service may use',
    database: true,
    answers: { 200: { description: 'All of them, in no order.', schema: 'AccessibleBots' } },
  },
  {
    id: 'importBot',
    method: 'post',
    path: '/v1/admin/bots/import',
    tag: 'Bots',
    who: 'admin',
    summary: 'Bring in a bot with a token that somebody has already',
    description:
      'The token is validated at Twitch and must belong to the application of this relay. A known Twitch user gets its tokens replaced.',
    body: 'ImportBot',
    database: true,
    answers: { 200: { description: 'The bot, new or renewed.', schema: 'Bot' } },
    problems: {
      409: ['name_taken'],
      422: ['token_invalid', 'wrong_client', 'missing_scopes'],
      503: ['twitch_unreachable'],
    },
  },
  {
    id: 'patchBot',
    method: 'patch',
    path: '/v1/admin/bots/{id}',
    tag: 'Bots',
    who: 'admin',
    summary: 'Rename, disable or enable a bot',
    description: 'A disabled bot has no session, and its topics are not covered.',
    pathParameters: id,
    body: 'BotPatch',
    database: true,
    answers: { 200: { description: 'The bot as it is now.', schema: 'Bot' } },
    problems: { ...unknown, 409: ['name_taken'] },
  },
  {
    id: 'removeBot',
    method: 'delete',
    path: '/v1/admin/bots/{id}',
    tag: 'Bots',
    who: 'admin',
    summary: 'Take a bot out',
    description:
      'The owners of its interests are told (relay.interest.revoked), its subscriptions are deleted at Twitch, and its token is revoked there.',
    pathParameters: id,
    database: true,
    answers: { 200: { description: 'It is gone.', schema: 'BotRemoved' } },
    problems: unknown,
  },
  {
    id: 'refreshBot',
    method: 'post',
    path: '/v1/admin/bots/{id}/refresh',
    tag: 'Bots',
    who: 'admin',
    summary: 'Get new tokens now',
    description: 'The relay does this by itself before a token ends.',
    pathParameters: id,
    database: true,
    answers: { 200: { description: 'The bot, with the end of its new token.', schema: 'Bot' } },
    problems: { ...unknown, 422: ['reauth_required', 'no_refresh_token'], 503: ['twitch_unreachable'] },
  },
];
