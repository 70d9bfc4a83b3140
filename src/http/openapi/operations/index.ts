// All operations of the HTTP API, resource by resource. A test holds the list against the routes of the app.
import type { Operation } from '../operation.ts';
import { authorizationOperations } from './authorizations.ts';
import { botOperations } from './bots.ts';
import { documentationOperations } from './documentation.ts';
import { eventOperations } from './events.ts';
import { interestOperations } from './interests.ts';
import { serviceAccountOperations } from './service-accounts.ts';
import { statusOperations } from './status.ts';
import { webhookOperations } from './webhooks.ts';

export const operations: readonly Operation[] = [
  ...statusOperations,
  ...botOperations,
  ...authorizationOperations,
  ...serviceAccountOperations,
  ...interestOperations,
  ...eventOperations,
  ...webhookOperations,
  ...documentationOperations,
];
