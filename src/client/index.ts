// The client's public face: `import { createRelayClient } from 'eventsub-relay/client'`. Nothing else is to be imported.
export { createRelayClient } from './relay-client.ts';
export type {
  AccessibleBots,
  ClientOptions,
  Interests,
  PullOptions,
  RelayClient,
  RelayReader,
  ServiceLogin,
  SubscriptionType,
  TokenLogin,
} from './relay-client.ts';
export { createAdminClient } from './admin-client.ts';
export type {
  AdminClient,
  ServiceAccounts,
  ServiceCreated,
  ServiceRegenerated,
  ServiceView,
} from './admin-client.ts';
export type { BroadcasterCalls, WaitOptions } from './authorizations.ts';
export { RelayApiError, RelayClosedError, RelayInterestError, RelayProtocolError } from './errors.ts';
export type { FieldError } from './errors.ts';
export { isEndpointEvent, isGap, isInterestEvent, isNotification } from './event-guards.ts';
export type { EndpointRelayEvent, GapRelayEvent, InterestRelayEvent } from './event-guards.ts';
export type { EventsOptions, LagInfo, ReconnectInfo } from './events-options.ts';
export type { Delivery } from './stream.ts';
export type { ClientClock } from './clock.ts';
export type { SocketConstructor, SocketLike } from './socket.ts';
export type { Endpoints, WebhookCalls } from './webhooks.ts';
export type {
  AttemptOutcome,
  AttemptsQuery,
  AttemptView,
  AuthorizationLink,
  AuthorizationView,
  AuthorizeBotBody,
  AuthorizeBroadcasterBody,
  BotPatch,
  BotRemoved,
  BotView,
  CheckView,
  CloseAdvice,
  ConsumerView,
  CreatedInterest,
  CreateInterestBody,
  DeviceCode,
  EndpointEvent,
  EndpointPatch,
  EndpointSecret,
  EndpointView,
  EventsPage,
  GapCause,
  GapEvent,
  HelloFrame,
  ImportBotBody,
  InterestEvent,
  InterestState,
  InterestView,
  RelayEvent,
  ReplayBody,
  ReplayView,
  ServicePatch,
} from '../protocol/index.ts';
export {
  signWebhook,
  verifyWebhook,
  webhookHeaders,
  WebhookVerificationError,
} from '../protocol/webhook-signature.ts';
export type {
  VerifiedWebhook,
  WebhookHeaders,
  WebhookToSign,
  WebhookToVerify,
  WebhookVerificationCode,
} from '../protocol/webhook-signature.ts';
