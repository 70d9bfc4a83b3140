// Reading the log, and how far each consumer has read.
import { z } from 'zod';
import { eventsQuery } from '../../../protocol/rest.ts';
import type { Operation } from '../operation.ts';
import { pageQuery } from '../parameters.ts';

const tag = 'Events';

export const eventOperations: readonly Operation[] = [
  {
    id: 'listEvents',
    method: 'get',
    path: '/v1/events',
    tag,
    who: 'service',
    summary: 'Read the log from a cursor on',
    description:
      'Events of all interests of this service, over whatever transport, in the order of the log. With `wait` a long poll: it is answered at once when there is something.',
    query: eventsQuery,
    database: true,
    answers: {
      200: {
        description: 'Events, possibly none, and where to go on.',
        schema: 'EventsPage',
        headers: ['NoStore'],
      },
    },
    problems: { 410: ['cursor_expired'] },
    problemSchemas: { 410: 'CursorProblem' },
  },
  {
    id: 'listConsumers',
    method: 'get',
    path: '/v1/consumers',
    tag,
    who: 'service',
    summary: 'Where the consumers of this service stand',
    query: pageQuery('name'),
    database: true,
    answers: {
      200: { description: 'In the order of names.', schema: 'Consumer', list: true, headers: ['Link'] },
    },
  },
  {
    id: 'acknowledge',
    method: 'post',
    path: '/v1/consumers/{name}/ack',
    tag,
    who: 'service',
    summary: 'Acknowledge everything up to a cursor',
    description: 'Makes the consumer if it is new. Late and repeated acknowledgements are harmless.',
    pathParameters: z.object({
      name: z
        .string()
        .regex(/^[A-Za-z0-9._-]{1,64}$/)
        .describe('The name of the consumer.'),
    }),
    body: 'Acknowledgement',
    database: true,
    answers: {
      200: { description: 'Where it stands now; never behind where it stood.', schema: 'Consumer' },
    },
    problems: { 410: ['cursor_expired'], 422: ['cursor_ahead'] },
    problemSchemas: { 410: 'CursorProblem' },
  },
  {
    id: 'createWsToken',
    method: 'post',
    path: '/v1/ws-token',
    tag,
    who: 'service',
    summary: 'A token with which a browser may open the WebSocket',
    description: 'Good for one connection. The WebSocket itself is described at /asyncapi.json.',
    database: true,
    answers: { 200: { description: 'The token, shown once.', schema: 'WsToken', headers: ['NoStore'] } },
  },
];
