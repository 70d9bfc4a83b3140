// Webhook endpoints, the history of deliveries, and sending events once more.
import { z } from 'zod';
import { attemptsQuery, secretGraceSeconds } from '../../../protocol/rest-webhooks.ts';
import type { Operation } from '../operation.ts';
import { idPath, pageQuery } from '../parameters.ts';

const endpoints = '/v1/endpoints';
const one = `${endpoints}/{id}`;
const pathParameters = idPath('endpoint');
const shared = { tag: 'Webhooks', who: 'service', database: true } as const;
const unknown = { 404: ['unknown_endpoint'] } as const;

export const webhookOperations: readonly Operation[] = [
  {
    ...shared,
    id: 'listEndpoints',
    method: 'get',
    path: endpoints,
    summary: 'All webhook endpoints of this service',
    description: 'One for each URL, made by the first interest that names it.',
    query: pageQuery('id'),
    answers: {
      200: { description: 'In the order of ids.', schema: 'Endpoint', list: true, headers: ['Link'] },
    },
  },
  {
    ...shared,
    id: 'getEndpoint',
    method: 'get',
    path: one,
    summary: 'One endpoint: settings, health, position',
    pathParameters,
    answers: { 200: { description: 'As it stands.', schema: 'Endpoint' } },
    problems: unknown,
  },
  {
    ...shared,
    id: 'patchEndpoint',
    method: 'patch',
    path: one,
    summary: 'Change how an endpoint is delivered to',
    pathParameters,
    body: 'EndpointPatch',
    answers: { 200: { description: 'The endpoint as it is now.', schema: 'Endpoint' } },
    problems: unknown,
  },
  {
    ...shared,
    id: 'rotateEndpointSecret',
    method: 'post',
    path: `${one}/rotate-secret`,
    summary: 'A new signing secret',
    description: 'Both secrets sign during the grace.',
    pathParameters,
    query: z.object({
      grace_seconds: secretGraceSeconds.describe('How many seconds the old secret goes on signing.'),
    }),
    answers: {
      200: { description: 'The new secret, shown once.', schema: 'EndpointSecret', headers: ['NoStore'] },
    },
    problems: unknown,
  },
  {
    ...shared,
    id: 'enableEndpoint',
    method: 'post',
    path: `${one}/enable`,
    summary: 'Make an endpoint healthy again, whatever it was',
    description: 'A disabled one has to echo a challenge first, if the relay is set so.',
    pathParameters,
    answers: { 200: { description: 'The endpoint as it is now.', schema: 'Endpoint' } },
    problems: {
      ...unknown,
      409: ['endpoint_disabled'],
      422: ['challenge_failed'],
      503: ['challenge_unavailable'],
    },
  },
  {
    ...shared,
    id: 'testEndpoint',
    method: 'post',
    path: `${one}/test`,
    summary: 'Send a test event now',
    description:
      'Also to a disabled endpoint. It is not in the log, and what comes of it is not held against the endpoint.',
    pathParameters,
    answers: { 200: { description: 'What came of it.', schema: 'AttemptOutcome' } },
    problems: { ...unknown, 409: ['endpoint_disabled'] },
  },
  {
    ...shared,
    id: 'listDeliveries',
    method: 'get',
    path: '/v1/deliveries',
    summary: 'The history of attempts',
    query: attemptsQuery,
    answers: { 200: { description: 'The newest first.', schema: 'Attempt', list: true, headers: ['Link'] } },
  },
  {
    ...shared,
    id: 'replayDeliveries',
    method: 'post',
    path: '/v1/deliveries/replay',
    summary: 'Send events once more',
    description:
      'By id, by a range of cursors or by a range of times. Only what the endpoint has passed and the log still holds.',
    body: 'Replay',
    answers: {
      200: {
        description: 'How many events it concerns, and under which name they are sent.',
        schema: 'Replayed',
      },
    },
    problems: { ...unknown, 410: ['cursor_expired'], 422: ['replay_too_large'] },
    problemSchemas: { 410: 'CursorProblem', 422: 'ReplayProblem' },
  },
];
