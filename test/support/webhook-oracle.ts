// What a webhook receiver was owed and what it got: the log is the one side, the accepted requests are the other.
import { expect } from 'vitest';
import type { RelayEvent } from '../../src/protocol/event.ts';
import type { Receiver } from './receiver.ts';
import { until } from './until.ts';
import type { Service, World } from './world.ts';

/** Lets time pass in small steps, so that requests under way can end, until the probe gives something. */
export function passing<T>(
  world: World,
  probe: () => T | Promise<T>,
  { what, stepMs = 250, timeoutMs = 30_000 }: { what: string; stepMs?: number; timeoutMs?: number },
): Promise<Exclude<T, false | undefined | null>> {
  return until(
    async () => {
      const value = await probe();
      if (value !== undefined && value !== null && value !== false) return value;
      await world.clock.advance(stepMs);
      return undefined as T;
    },
    { what, timeoutMs },
  );
}

const laneOf = ({ provider, event }: RelayEvent): string =>
  provider === 'relay' ? 'relay' : String((event as Record<string, unknown>)['broadcaster_user_id']);

/** Events of one lane that were accepted in another order than the log's. */
export function outOfOrder(accepted: readonly string[], log: readonly RelayEvent[]): string[] {
  const place = new Map(log.map((event, index) => [event.id, { index, lane: laneOf(event) }]));
  const last = new Map<string, number>();
  const wrong: string[] = [];
  for (const id of accepted) {
    const { index, lane } = place.get(id) ?? { index: Infinity, lane: 'unknown' };
    if (index < (last.get(lane) ?? -1)) wrong.push(id);
    last.set(lane, Math.max(index, last.get(lane) ?? -1));
  }
  return wrong;
}

/**
 * Everything that the service's log holds was accepted, every signature was right, and nothing came twice under the same
 * number. For a service whose only interests are those of this receiver's one endpoint, since its beginning.
 */
export async function expectComplete(
  world: World,
  service: Service,
  receiver: Receiver,
  {
    ordered = true,
    except = [],
    stepMs = 250,
  }: { ordered?: boolean; except?: readonly string[]; stepMs?: number } = {},
): Promise<void> {
  const complete = async () => {
    const owed = (await world.log(service)).map(({ id }) => id).filter((id) => !except.includes(id));
    const accepted = new Set(receiver.accepted);
    const missing = owed.filter((id) => !accepted.has(id));
    return missing.length === 0;
  };
  await passing(world, complete, { what: 'everything in the log to be accepted', stepMs });
  const log = await world.log(service);
  expect(receiver.accepted.filter((id) => !log.some((event) => event.id === id))).toEqual([]);
  expect(receiver.unmarked).toEqual([]);
  expect(receiver.requests.filter(({ verified }) => verified === false)).toEqual([]);
  for (const { body, event } of receiver.requests) {
    expect(JSON.parse(body)).toEqual(log.find(({ id }) => id === event.id));
  }
  if (ordered) expect(outOfOrder(receiver.accepted, log)).toEqual([]);
}
