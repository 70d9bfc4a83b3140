// Interests, and the catalogue of what there is to be interested in.
import { waitSeconds } from '../../../protocol/rest.ts';
import { interest } from '../examples.ts';
import type { Operation } from '../operation.ts';
import { idPath, pageQuery, waitQuery } from '../parameters.ts';

const base = '/v1/interests';
const tag = 'Interests';
const unknown = { 404: ['unknown_interest'] } as const;

export const interestOperations: readonly Operation[] = [
  {
    id: 'listSubscriptionTypes',
    method: 'get',
    path: '/v1/eventsub/subscription-types',
    tag,
    who: 'service',
    summary: 'The catalogue of event types',
    database: true,
    answers: { 200: { description: 'The whole table.', schema: 'SubscriptionType', list: true } },
  },
  {
    id: 'createInterest',
    method: 'post',
    path: base,
    tag,
    who: 'service',
    summary: 'Ask for events',
    description:
      'The same wish again gives the same interest. It gets what is logged from now on. What Twitch says of it comes as relay.interest.active, rejected or degraded, or with the answer when it waits.',
    query: waitQuery(waitSeconds, "for Twitch's verdict"),
    body: 'CreateInterest',
    database: true,
    answers: {
      200: {
        description: 'It was there already.',
        schema: 'CreatedInterest',
        headers: ['NoStore'],
        example: interest,
      },
      201: {
        description: 'It is new. With `webhook_secret` when this call made the endpoint; it is shown once.',
        schema: 'CreatedInterest',
        headers: ['Location', 'NoStore'],
      },
    },
    problems: {
      401: ['unknown_service'],
      403: ['bot_access_denied'],
      404: ['unknown_bot'],
      422: [
        'bot_disabled',
        'bot_reauth_required',
        'budget_exceeded',
        'challenge_failed',
        'egress_refused',
        'invalid_condition',
        'missing_scopes',
        'not_over_websocket',
        'type_removed',
        'unknown_type',
        'unknown_user',
        'unknown_version',
      ],
      503: ['challenge_unavailable', 'interest_contended', 'twitch_unreachable'],
    },
  },
  {
    id: 'listInterests',
    method: 'get',
    path: base,
    tag,
    who: 'service',
    summary: 'All interests of this service',
    query: pageQuery('id'),
    database: true,
    answers: {
      200: { description: 'In the order of ids.', schema: 'Interest', list: true, headers: ['Link'] },
    },
  },
  {
    id: 'getInterest',
    method: 'get',
    path: `${base}/{id}`,
    tag,
    who: 'service',
    summary: 'One interest',
    pathParameters: idPath('interest'),
    database: true,
    answers: { 200: { description: 'As it stands.', schema: 'Interest' } },
    problems: unknown,
  },
  {
    id: 'removeInterest',
    method: 'delete',
    path: `${base}/{id}`,
    tag,
    who: 'service',
    summary: 'No longer ask for events',
    description: 'The last interest in a topic removes the subscription at Twitch.',
    pathParameters: idPath('interest'),
    database: true,
    answers: { 200: { description: 'It is gone.', schema: 'Deleted' } },
    problems: unknown,
  },
];
