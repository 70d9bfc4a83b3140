// How a Twitch user's grant reaches the relay: a link for a browser, a code for a device, and what became of either.
import { z } from 'zod';
import { waitSeconds } from '../../../protocol/rest.ts';
import type { Operation } from '../operation.ts';
import { idPath, waitQuery } from '../parameters.ts';

const id = idPath('authorization');
const wait = waitQuery(waitSeconds, 'for it to end');
const callback = z.object({
  state: z.string().optional().describe('As the link had it. Good for one call.'),
  code: z.string().optional().describe("Twitch's code for the grant."),
  error: z.string().optional().describe('Why there is no grant.'),
});
const page = { contentType: 'text/html', headers: ['NoStore'] } as const;

export const authorizationOperations: readonly Operation[] = [
  {
    id: 'authorizeBot',
    method: 'post',
    path: '/v1/admin/bots/authorize',
    tag: 'Authorizations',
    who: 'admin',
    summary: 'A link with which a bot is added in a browser',
    description:
      'Scopes follow from the event types. Whoever opens the link and says yes becomes an account of this relay. It can be used once, within ten minutes.',
    body: 'AuthorizeBot',
    database: true,
    answers: {
      201: {
        description: 'The link, and the authorization to follow.',
        schema: 'AuthorizationLink',
        headers: ['NoStore'],
      },
    },
    problems: { 404: ['unknown_bot'], 422: ['not_over_websocket', 'type_removed', 'unknown_type'] },
  },
  {
    id: 'authorizeBotByDevice',
    method: 'post',
    path: '/v1/admin/bots/device',
    tag: 'Authorizations',
    who: 'admin',
    summary: 'A code with which a bot is added from another device',
    description: 'For a machine without a browser. The relay asks Twitch by itself until the code ends.',
    body: 'AuthorizeBot',
    database: true,
    answers: {
      201: {
        description: 'The code, and the authorization to follow.',
        schema: 'DeviceCode',
        headers: ['NoStore'],
      },
    },
    problems: {
      404: ['unknown_bot'],
      422: ['device_refused', 'not_over_websocket', 'type_removed', 'unknown_type'],
      503: ['twitch_unreachable'],
    },
  },
  {
    id: 'getAuthorization',
    method: 'get',
    path: '/v1/admin/authorizations/{id}',
    tag: 'Authorizations',
    who: 'admin',
    summary: 'What became of an authorization',
    pathParameters: id,
    query: wait,
    database: true,
    answers: { 200: { description: 'As it stands.', schema: 'Authorization', headers: ['NoStore'] } },
    problems: { 404: ['unknown_authorization'] },
  },
  {
    id: 'authorizeBroadcaster',
    method: 'post',
    path: '/v1/broadcaster-authorizations/start',
    tag: 'Authorizations',
    who: 'either',
    summary: 'A link with which a broadcaster grants what a topic needs',
    description:
      'For a broadcaster who is no bot. The service that asks may use the account that comes of it.',
    body: 'AuthorizeBroadcaster',
    database: true,
    answers: {
      201: {
        description: 'The link, and the authorization to follow.',
        schema: 'AuthorizationLink',
        headers: ['NoStore'],
      },
    },
    problems: { 401: ['unknown_service'], 422: ['not_over_websocket', 'type_removed', 'unknown_type'] },
  },
  {
    id: 'getBroadcasterAuthorization',
    method: 'get',
    path: '/v1/broadcaster-authorizations/{id}',
    tag: 'Authorizations',
    who: 'either',
    summary: "What became of a broadcaster's authorization",
    description: 'A service sees those that it began, the admin all of them.',
    pathParameters: id,
    query: wait,
    database: true,
    answers: { 200: { description: 'As it stands.', schema: 'Authorization', headers: ['NoStore'] } },
    problems: { 404: ['unknown_authorization'] },
  },
  {
    id: 'finishAuthorization',
    method: 'get',
    path: '/oauth/callback',
    tag: 'Authorizations',
    who: 'none',
    summary: 'Where Twitch sends the browser back to',
    description: 'A page for people. Nothing but the `state` of a link makes it do anything.',
    query: callback,
    lenient: true,
    database: false,
    answers: {
      200: { description: 'The account is added or renewed.', ...page },
      400: { description: 'The link is not one of ours, or is used up or expired.', ...page },
      403: { description: 'The user said no.', ...page },
      409: { description: 'The grant is not the one that was asked for.', ...page },
      500: { description: 'A fault of the relay.', ...page },
      503: { description: 'Twitch or the database does not answer.', ...page },
    },
  },
];
