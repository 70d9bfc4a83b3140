// Frames on the live session of the running relay. Whatever Twitch says, the next good notification gets through, if need
// be on a new session.
import fc from 'fast-check';
import { parseFrame } from '../../src/upstream/twitch/frames.ts';
import { until } from '../support/until.ts';
import { bytesAround, type Json } from './grammar.ts';
import { eventSubFrames, frameText } from './eventsub-frames.ts';
import { liveWorld } from './live-world.ts';
import { defineTarget, type Taken } from './target.ts';

/** After a session has ended: the new one, its subscription, and the event over it. */
const throughWithinMs = 12_000;

/** What leads elsewhere is not followed from here: a reconnect goes to this machine, or nowhere. */
function staysHere(text: string): boolean {
  const frame = parseFrame(text);
  return frame.kind !== 'reconnect' || ['127.0.0.1', '[::1]'].includes(new URL(frame.url).hostname);
}

export const eventsubSession = defineTarget({
  name: 'eventsub-session',
  what: 'frames on a live session of the running relay',
  kind: 'live',
  piecesPerInput: 8,
  deadlineMs: 30_000,
  async open() {
    const live = await liveWorld();
    const { world, bot, service } = live;
    const { sim } = world;
    await world.addInterest(service, bot, 'channel.follow');
    const consumer = await world.consumer(service);
    const [planted] = sim.subscriptions();
    if (!planted) throw new Error('there is no subscription');
    const subscription: Json = {
      id: planted.id,
      status: 'enabled',
      type: planted.type,
      version: planted.version,
      cost: 0,
      condition: { ...planted.condition },
      transport: { method: 'websocket', session_id: planted.sessionId },
      created_at: '2026-11-21T15:00:00.123Z',
    };
    const urls = [sim.eventSubUrl, `${sim.eventSubUrl}?challenge=1`, 'ws://127.0.0.1:9/', 'ws://[::1]:9/'];
    const revoked = { ...(subscription as object), id: 'another', condition: { broadcaster_user_id: '1' } };
    const frames = eventSubFrames({ subscription, revoked, urls, messageIds: fc.uuid() });
    const piece = fc.oneof(
      { weight: 5, arbitrary: frameText(frames).filter(staysHere) },
      { weight: 1, arbitrary: bytesAround(frames.map((frame) => JSON.stringify(frame))) },
    );
    let sent = 0;
    /** By its id: what the pieces themselves say arrives too. */
    const getThrough = async () => {
      let wanted = new Set<string>();
      let session = '';
      const isThere = () => consumer.events.slice(-500).some(({ id }) => wanted.has(id));
      await until(
        () => {
          // Once for each session: what went into one that was already lost is gone, and declared.
          const open = sim.subscriptions().find(({ userId, zombie, status }) => {
            return userId === bot.user.id && !zombie && status === 'enabled';
          });
          if (open && open.sessionId !== session) {
            session = open.sessionId;
            wanted = new Set([...wanted, ...sim.send('channel.follow').map(({ messageId }) => messageId)]);
          }
          return isThere();
        },
        { what: `good notification ${(sent += 1)}`, timeoutMs: throughWithinMs },
      );
    };
    return {
      input: fc.array(piece, { minLength: 4, maxLength: 16 }),
      async run(pieces): Promise<Taken> {
        const { id } = await world.session(bot);
        for (const data of pieces) sim.sendRaw(id, data);
        await getThrough();
        live.checkLog();
        const read = pieces.filter(
          (data) => typeof data === 'string' && parseFrame(data).kind !== 'malformed',
        );
        return { accepted: read.length, refused: pieces.length - read.length };
      },
      stillWorks: getThrough,
      async close() {
        await live[Symbol.asyncDispose]();
      },
    };
  },
});
