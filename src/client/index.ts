// The client's public face: `import { createRelayClient } from 'eventsub-relay/client'`. Nothing else is to be imported.
export { createRelayClient } from './relay-client.ts';
export type {
  AccessibleBots,
  ClientOptions,
  CreatedInterest,
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
export { RelayApiError, RelayClosedError, RelayInterestError, RelayProtocolError } from './errors.ts';
export type { FieldError } from './errors.ts';
export { isGap, isInterestEvent, isNotification } from './event-guards.ts';
export type { GapRelayEvent, InterestRelayEvent } from './event-guards.ts';
export type { EventsOptions, LagInfo, ReconnectInfo } from './events-options.ts';
export type { Delivery } from './stream.ts';
export type { ClientClock } from './clock.ts';
export type { SocketConstructor, SocketLike } from './socket.ts';
export type {
  BotView,
  CloseAdvice,
  ConsumerView,
  CreateInterestBody,
  EventsPage,
  GapCause,
  GapEvent,
  HelloFrame,
  ImportBotBody,
  InterestEvent,
  InterestState,
  InterestView,
  RelayEvent,
} from '../protocol/index.ts';
