// Alive, ready, the numbers, and what is wrong.
import { notReady } from '../examples.ts';
import type { Operation } from '../operation.ts';

export const statusOperations: readonly Operation[] = [
  {
    id: 'getHealth',
    method: 'get',
    path: '/health',
    tag: 'Status',
    who: 'none',
    summary: 'Whether the process is alive',
    description: 'Depends on nothing: neither on the database nor on traffic. For a supervisor.',
    database: false,
    answers: { 200: { description: 'It is.', schema: 'Alive' } },
  },
  {
    id: 'getReadiness',
    method: 'get',
    path: '/ready',
    tag: 'Status',
    who: 'none',
    summary: 'Whether everything works',
    description: 'One line for each check: database, migrations, log, and the session of each enabled bot.',
    database: false,
    answers: {
      200: { description: 'Everything does.', schema: 'Readiness', headers: ['NoStore'] },
      503: {
        description: 'Something does not. No problem document: the checks say what.',
        schema: 'Readiness',
        headers: ['NoStore'],
        example: notReady,
      },
    },
  },
  {
    id: 'getMetrics',
    method: 'get',
    path: '/metrics',
    tag: 'Status',
    who: 'admin',
    summary: 'The numbers, for Prometheus',
    database: false,
    answers: {
      200: {
        description: 'One line for each sample. OpenMetrics, unless Accept asks for text/plain.',
        contentType: ['application/openmetrics-text', 'text/plain'],
        example: '# TYPE relay_log_head gauge\nrelay_log_head 42\n',
      },
    },
  },
  {
    id: 'getChecks',
    method: 'get',
    path: '/v1/admin/checks',
    tag: 'Status',
    who: 'admin',
    summary: 'What is wrong, and what to do about it',
    description:
      'Looks now: the database, Twitch, the clock, and the token, scopes, budget and session of each bot.',
    database: false,
    answers: { 200: { description: 'What was looked at.', schema: 'Checks', headers: ['NoStore'] } },
  },
];
