// The live tail: what a service is sent, a line each, from now on. It reads the log by its pages and acknowledges nothing,
// so that no consumer comes of it and none that exists is disturbed.
import { RelayApiError, type RelayClient, type RelayEvent } from '../../client/index.ts';
import { pause } from '../../runtime/clock.ts';
import { eventLine } from '../event-line.ts';
import type { Room } from './menu.ts';

/** One question holds this long when nothing happens. Seconds. */
const waitSeconds = 20;
/** Between two questions to a relay that is away. */
const awayMs = 1_000;

export async function liveTail(room: Room): Promise<void> {
  const { ui, relay } = room;
  const client = await relay.serviceClient();
  const head = (await relay.lookAsService('Looking at the log', (each) => each.pull({ limit: 1 }))).head;
  await ui.say(ui.style.dim('Events from now on. Any key ends it.'));
  let shown = 0;
  await ui.untilKey(async (signal) => {
    for await (const event of follow(room, client, head, signal)) {
      shown += 1;
      await ui.raw(eventLine(event, { style: ui.style, columns: ui.width }));
    }
  });
  await ui.say(ui.style.dim(`${shown === 0 ? 'No event' : `Shown: ${shown}`}. The tail has ended.`));
}

async function* follow(
  { ui }: Room,
  client: RelayClient,
  head: string,
  signal: AbortSignal,
): AsyncGenerator<RelayEvent, void, undefined> {
  let after = head;
  let away = false;
  while (!signal.aborted) {
    try {
      const page = await client.pull({ after, wait: waitSeconds, signal });
      if (away) await ui.done('The relay is back; nothing was missed.');
      away = false;
      after = page.next;
      yield* page.events;
    } catch (error) {
      if (!(error instanceof RelayApiError) || !error.shouldRetry()) throw error;
      if (!away) await ui.warn('The relay does not answer. The tail goes on when it does.');
      away = true;
      await pause(ui.clock, error.retryAfterMs ?? awayMs, signal);
    }
  }
}
