// Service accounts, for the admin.
import { z } from 'zod';
import { graceSeconds, serviceName } from '../../../protocol/rest.ts';
import type { Operation } from '../operation.ts';
import { pageQuery } from '../parameters.ts';

const base = '/v1/admin/service-accounts';
const tag = 'Service accounts';
const one = z.object({ client_id: z.string().describe('The client id of the service account.') });
const unknown = { 404: ['unknown_service'] } as const;

export const serviceAccountOperations: readonly Operation[] = [
  {
    id: 'createService',
    method: 'post',
    path: base,
    tag,
    who: 'admin',
    summary: 'Add a service account',
    query: z.object({ name: serviceName.describe('What it is called. Unique.') }),
    database: true,
    answers: {
      201: { description: 'Its credentials, shown once.', schema: 'ServiceCreated', headers: ['NoStore'] },
    },
    problems: { 409: ['name_taken'] },
  },
  {
    id: 'listServices',
    method: 'get',
    path: base,
    tag,
    who: 'admin',
    summary: 'All service accounts',
    query: pageQuery('name'),
    database: true,
    answers: {
      200: { description: 'In the order of names.', schema: 'Service', list: true, headers: ['Link'] },
    },
  },
  {
    id: 'patchService',
    method: 'patch',
    path: `${base}/{client_id}`,
    tag,
    who: 'admin',
    summary: 'Enable, disable or restrict a service',
    description:
      'In effect at once: sockets of a disabled service close with 4403, interests in bots that it may no longer use are suspended.',
    pathParameters: one,
    body: 'ServicePatch',
    database: true,
    answers: { 200: { description: 'The account as it is now.', schema: 'Service' } },
    problems: { ...unknown, 422: ['unknown_bot'] },
  },
  {
    id: 'removeService',
    method: 'delete',
    path: `${base}/{client_id}`,
    tag,
    who: 'admin',
    summary: 'Remove a service with its interests, consumers and endpoints',
    pathParameters: one,
    database: true,
    answers: { 200: { description: 'It is gone.', schema: 'Deleted' } },
    problems: unknown,
  },
  {
    id: 'regenerateService',
    method: 'post',
    path: `${base}/{client_id}/regenerate`,
    tag,
    who: 'admin',
    summary: 'A new secret',
    description:
      'Both secrets work during the grace. Without one the old secret dies at once, and its sockets close with 4401.',
    pathParameters: one,
    query: z.object({
      grace_seconds: graceSeconds.describe('How many seconds the old secret goes on working.'),
    }),
    database: true,
    answers: {
      200: { description: 'The new secret, shown once.', schema: 'ServiceRegenerated', headers: ['NoStore'] },
    },
    problems: unknown,
  },
];
