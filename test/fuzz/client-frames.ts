// What the client library makes of whatever a relay sends: events for the loop, or an error of its own; nothing else, and
// nothing left behind.
import fc from 'fast-check';
import {
  createRelayClient,
  RelayApiError,
  RelayClosedError,
  RelayProtocolError,
} from '../../src/client/index.ts';
import type { ClientClock } from '../../src/client/clock.ts';
import type { SocketLike } from '../../src/client/socket.ts';
import { serverFrame } from '../../src/protocol/frames.ts';
import { bytesAround, jsonAround, oddText, type Json } from './grammar.ts';
import { defineTarget, takenIf } from './target.ts';

const hello: Json = {
  type: 'hello',
  protocol: 'relay.v1',
  session_id: 's',
  consumer: 'default',
  position: 'c0',
  head: 'c9',
  floor: 'c0',
  resumed: true,
  heartbeat_ms: 25_000,
  max_in_flight: 256,
};
const event: fc.Arbitrary<Json> = fc.record({
  type: fc.constant('event'),
  cursor: fc.constantFrom('c1', 'c2'),
  attempt: fc.constantFrom(1, 2),
  event: fc.record({
    id: fc.uuid(),
    cursor: fc.constantFrom('c1', 'c2'),
    provider: fc.constantFrom('twitch', 'relay'),
    type: fc.constantFrom('channel.follow', 'relay.gap', 'relay.interest.active'),
    version: fc.constant('1'),
    event_timestamp: fc.constant('2026-11-21T15:00:00Z'),
    received_at: fc.constant('2026-11-21T15:00:00Z'),
    bot_account_id: fc.constant(null),
    topic_id: fc.constant(null),
    subscription: fc.constant(null),
    event: fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
  }),
});
const others = fc.constantFrom<Json[]>(
  { type: 'heartbeat', head: 'c9' },
  { type: 'lag', behind_events: 1, behind_ms: 2, floor_in_ms: 3 },
  { type: 'reconnect', in_ms: 1_000, reason: 'restart' },
  { type: 'error', code: 'overload', message: 'slow', reconnect: true, retry_after_ms: 5 },
  { type: 'of_a_later_relay', more: {} },
  hello,
);
const frames = fc.oneof({ weight: 3, arbitrary: event }, { weight: 2, arbitrary: others });

const asText = (valid: fc.Arbitrary<Json>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 3, arbitrary: jsonAround(valid) },
    {
      weight: 1,
      arbitrary: bytesAround(valid.map((value) => JSON.stringify(value))).map((bytes) =>
        bytes.toString('utf8'),
      ),
    },
  );

interface Given {
  readonly first: string;
  readonly frames: readonly (string | Buffer)[];
  readonly code: number;
  readonly reason: string;
}
const given: fc.Arbitrary<Given> = fc.record({
  first: fc.oneof(
    { weight: 5, arbitrary: fc.constant(JSON.stringify(hello)) },
    { weight: 1, arbitrary: asText(fc.constant(hello)) },
  ),
  frames: fc.array(
    fc.oneof(
      { weight: 4, arbitrary: frames.map((frame) => JSON.stringify(frame)) },
      { weight: 8, arbitrary: asText(frames) },
      { weight: 1, arbitrary: bytesAround(fc.constant('{}')) },
    ),
    { maxLength: 4 },
  ),
  code: fc.oneof(fc.constantFrom(1000, 1006, 1012, 4400, 4409, 4410), fc.integer({ min: 1000, max: 4999 })),
  reason: oddText,
});

type Listener = (event: { data: unknown; code: number; reason: string }) => void;

/** The relay's end of the socket, in the test's hand. */
class FakeSocket implements SocketLike {
  readonly protocol = 'relay.v1';
  readonly #listeners: { type: string; listener: Listener }[] = [];
  #isClosed = false;
  send(text: string): void {
    JSON.parse(text);
  }
  addEventListener(type: string, listener: unknown): void {
    this.#listeners.push({ type, listener: listener as Listener });
  }
  emit(type: string, event: Partial<Parameters<Listener>[0]>): void {
    if (this.#isClosed) return;
    this.#isClosed = type === 'close';
    for (const each of this.#listeners)
      if (each.type === type) each.listener({ data: undefined, code: 1000, reason: '', ...event });
  }
  close(): void {
    queueMicrotask(() => this.emit('close', {}));
  }
  terminate(): void {
    this.emit('close', { code: 1006 });
  }
}

/** Stands still; every wait lasts until it is given up. */
class StillClock implements ClientClock {
  pending = 0;
  now = () => 0;
  after(delayMs: number): () => void {
    if (Number.isNaN(delayMs)) throw new Error('a timer over no number');
    this.pending += 1;
    let isPending = true;
    return () => {
      if (isPending) this.pending -= 1;
      isPending = false;
    };
  }
}

/** How many more turns of the event loop a stream gets to notice what has happened. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

const known: ReadonlySet<string> = new Set(serverFrame.options.map((option) => option.shape.type.value));
/** Whether it is a frame that a client of today may skip: JSON, and of no type that it knows. */
function maySkip(frame: string | Buffer): boolean {
  if (typeof frame !== 'string') return false;
  try {
    const value: unknown = JSON.parse(frame);
    if (typeof value !== 'object' || value === null) return true;
    const type: unknown = Reflect.get(value, 'type');
    return typeof type !== 'string' || !known.has(type);
  } catch {
    return false;
  }
}

async function judge({ first, frames: sent, code, reason }: Given): Promise<boolean> {
  const sockets: FakeSocket[] = [];
  const clock = new StillClock();
  const stop = new AbortController();
  let ignored = 0;
  const login = { url: 'http://relay.invalid', clientId: 'c', clientSecret: 's' };
  const client = createRelayClient(login, {
    clock,
    random: () => 0.5,
    log: () => void (ignored += 1),
    fetch: async () => Response.json({ ws_token: 'token', expires_in_seconds: 120 }),
    webSocket: class extends FakeSocket {
      constructor() {
        super();
        sockets.push(this);
      }
    },
  });
  let failure: unknown;
  const loop = (async () => {
    for await (const { event: got, cursor } of client.deliveries({ signal: stop.signal }))
      if (typeof got.id !== 'string' || typeof cursor !== 'string') throw new Error('an event that is none');
  })().catch((error: unknown) => (failure = error));
  for (let turns = 0; sockets.length === 0 && turns < 50; turns++) await turn();
  const [socket] = sockets;
  if (!socket) throw new Error('it does not connect');
  for (const data of [first, ...sent]) socket.emit('message', { data });
  await turn();
  const ended = failure;
  socket.emit('close', { code, reason });
  await turn();
  stop.abort();
  await loop;
  const own = [RelayProtocolError, RelayClosedError, RelayApiError].some((kind) => failure instanceof kind);
  if (failure !== undefined && !own) throw new Error('an error that is not its own', { cause: failure });
  if (ended !== undefined && sent.length > 0 && first === JSON.stringify(hello) && sent.every(maySkip))
    throw new Error('a frame of a later relay ends it', { cause: ended });
  if (clock.pending > 0) throw new Error(`${clock.pending} timers are left`);
  return ended === undefined && ignored <= sent.length + 1;
}

export const clientFrames = defineTarget({
  name: 'client-frames',
  what: 'frames of a relay, as the client library takes them',
  kind: 'pure',
  deadlineMs: 5_000,
  async open() {
    return { input: given, run: async (input) => takenIf(await judge(input)) };
  },
});
