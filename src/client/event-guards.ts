// Telling the relay's own events from the platform's, with types. Pure.
import { endpointEvent, gapEvent, interestEvent } from '../protocol/index.ts';
import type { EndpointEvent, GapEvent, InterestEvent, InterestState, RelayEvent } from '../protocol/index.ts';

export type GapRelayEvent = RelayEvent & { provider: 'relay'; type: 'relay.gap'; event: GapEvent };
export type InterestRelayEvent = RelayEvent & {
  provider: 'relay';
  type: `relay.interest.${Exclude<InterestState, 'pending'>}`;
  event: InterestEvent;
};

export type EndpointRelayEvent = RelayEvent & {
  provider: 'relay';
  type: `relay.endpoint.${'degraded' | 'disabled' | 'recovered'}`;
  event: EndpointEvent;
};
const endpointEventTypes: readonly string[] = [
  'relay.endpoint.degraded',
  'relay.endpoint.disabled',
  'relay.endpoint.recovered',
] satisfies EndpointRelayEvent['type'][];

/** Between `event.from` and `event.to`, events of `event.topic_ids` may have been missed. */
export const isGap = (event: RelayEvent): event is GapRelayEvent =>
  event.provider === 'relay' && event.type === 'relay.gap' && gapEvent.safeParse(event.event).success;

/** What became of an interest of this service. */
export const isInterestEvent = (event: RelayEvent): event is InterestRelayEvent =>
  event.provider === 'relay' &&
  event.type.startsWith('relay.interest.') &&
  interestEvent.safeParse(event.event).success;

/** How a webhook endpoint of this service fares. A test event, which tells nothing, is none of these. */
export const isEndpointEvent = (event: RelayEvent): event is EndpointRelayEvent =>
  event.provider === 'relay' &&
  endpointEventTypes.includes(event.type) &&
  endpointEvent.safeParse(event.event).success;

/** Something the platform sent, as opposed to what the relay says about itself. */
export const isNotification = (event: RelayEvent): event is RelayEvent & { provider: 'twitch' } =>
  event.provider !== 'relay';
