// What clients send over /ws/events of the running relay: text, binary, fragments, control frames, and bytes that are no
// frames at all. The socket stays open, or closes with a code that says why; it opens again; others notice nothing.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { WebSocket } from 'ws';
import type { Credentials } from '../support/consumer.ts';
import { bytesAround, bodyAround, oddText } from './grammar.ts';
import { clientFrames } from './client-messages.ts';
import { cursorText } from './cursors.ts';
import { liveWorld } from './live-world.ts';
import { defineTarget, type Taken } from './target.ts';

type Piece =
  | { readonly how: 'text' | 'binary' | 'fragments' | 'ping' | 'pong'; readonly data: Buffer }
  /** Past the framing: what is written to the connection. */
  | { readonly how: 'raw'; readonly data: Buffer }
  | { readonly how: 'close'; readonly code: number; readonly data: Buffer };

/** A frame as a client sends it, with a mask of zeros; what is wrong with it comes afterwards. */
function frameBytes(first: number, data: Buffer, isMasked: boolean): Buffer {
  const size = Math.min(data.length, 125);
  const head = [first, (isMasked ? 0x80 : 0) | size, ...(isMasked ? [0, 0, 0, 0] : [])];
  return Buffer.concat([Buffer.from(head), data.subarray(0, size)]);
}
const raw = fc.oneof(
  fc
    .tuple(fc.nat(255), fc.uint8Array({ maxLength: 130 }), fc.boolean())
    .map(([first, data, isMasked]) => frameBytes(first, Buffer.from(data), isMasked)),
  bytesAround(fc.constant(frameBytes(0x81, Buffer.from('{"type":"seek"}'), true))),
  // Lengths that nobody means.
  fc
    .constantFrom('81ffffffffffffffffff', '81fe0000', '81ff0000000000000001', '88810000000000', '8900')
    .map((hex) => Buffer.from(hex, 'hex')),
);

/** What is refused, and as what: ours for a frame that is none, RFC 6455's for what is no frame; 1005 echoes ours. */
const saidCodes: ReadonlySet<number> = new Set([1000, 1002, 1005, 1007, 1009, 4400]);

export const gateway = defineTarget({
  name: 'gateway',
  what: 'what clients send over /ws/events of the running relay',
  kind: 'live',
  piecesPerInput: 6,
  deadlineMs: 15_000,
  async open() {
    const live = await liveWorld();
    const { world, bot, service } = live;
    await world.addInterest(service, bot, 'channel.follow');
    const neighbour = await world.consumer(service, 'relay.v1', { query: { consumer: 'neighbour' } });
    const { position = '' } = neighbour.hello ?? {};
    const cursors = fc.oneof(
      { weight: 6, arbitrary: fc.constant(position) },
      { weight: 1, arbitrary: cursorText },
    );
    const right = clientFrames(cursors);
    const data = fc.oneof(
      // A refusal costs a connection, so not too many of them.
      { weight: 2, arbitrary: right.map((frame) => Buffer.from(JSON.stringify(frame))) },
      { weight: 3, arbitrary: bodyAround(right) },
    );
    const piece: fc.Arbitrary<Piece> = fc.oneof(
      { weight: 12, arbitrary: fc.record({ how: fc.constant('text' as const), data }) },
      {
        weight: 2,
        arbitrary: fc.record({ how: fc.constantFrom('binary' as const, 'fragments' as const), data }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          how: fc.constantFrom('ping' as const, 'pong' as const),
          data: fc.uint8Array({ maxLength: 125 }).map((bytes) => Buffer.from(bytes)),
        }),
      },
      { weight: 2, arbitrary: fc.record({ how: fc.constant('raw' as const), data: raw }) },
      {
        weight: 1,
        arbitrary: fc.record({
          how: fc.constant('close' as const),
          code: fc.constantFrom(1000, 1001, 3000, 4000, 4999),
          data: oddText.map((text) => Buffer.from(text.toWellFormed().slice(0, 20))),
        }),
      },
    );
    // Each with a consumer of its own, all of them at once.
    const clients = Array.from(
      { length: 4 },
      (_, n) => new Client(world.url, service, n === 0 ? undefined : `fuzzed-${n}`),
    );
    let heard = 0;
    return {
      input: fc.tuple(...clients.map(() => fc.array(piece, { minLength: 1, maxLength: 3 }))),
      async run(given) {
        const played = await Promise.all(clients.map((client, n) => client.play(given[n] ?? [])));
        live.checkLog();
        return {
          accepted: played.reduce((sum, taken) => sum + taken.accepted, 0),
          refused: played.reduce((sum, taken) => sum + taken.refused, 0),
        };
      },
      async stillWorks() {
        world.sim.send('channel.follow');
        await neighbour.got((heard += 1), 'the event of a good neighbour');
      },
      async close() {
        for (const client of clients) client.cut();
        await live[Symbol.asyncDispose]();
      },
    };
  },
});

/** Whether it answers, or the code with which it was closed. */
type Fate = 'open' | number;

/** One connection after another, each until it is closed. */
class Client {
  readonly #url: URL;
  readonly #service: Credentials;
  readonly #protocols: string[];
  #connection: { ws: WebSocket; tcp: Socket | undefined; closed: Promise<number> } | undefined;

  /** Without a consumer it is a plain one. */
  constructor(url: string, service: Credentials, consumer: string | undefined) {
    this.#url = new URL('/ws/events', url.replace(/^http/, 'ws'));
    this.#service = service;
    this.#protocols = consumer === undefined ? [] : ['relay.v1'];
    if (consumer !== undefined) this.#url.searchParams.set('consumer', consumer);
  }

  cut(): void {
    this.#connection?.ws.terminate();
  }

  /** One piece after another; a socket that is closed for it is opened anew for the next. */
  async play(pieces: readonly Piece[]): Promise<Taken> {
    let accepted = 0;
    for (const piece of pieces) {
      const fate = await this.#fateOf(piece);
      if (typeof fate === 'number' && piece.how !== 'raw' && piece.how !== 'close' && !saidCodes.has(fate))
        throw new Error(`closed with ${fate}`);
      if (fate === 1011) throw new Error('closed with 1011: a fault of the relay');
      if (fate === 'open' || piece.how === 'close') accepted += 1;
    }
    return { accepted, refused: pieces.length - accepted };
  }

  async #fateOf(piece: Piece): Promise<Fate> {
    const { ws, tcp, closed } = (this.#connection ??= await this.#open());
    const pong = answered(ws);
    send(ws, tcp, piece);
    // Half a frame is waited for, so nothing is answered behind it: its sender gives up.
    if (piece.how === 'raw') tcp?.end();
    else ws.ping(ours);
    const fate = await Promise.race([closed, pong.came]);
    pong.stop();
    if (fate !== 'open') this.#connection = undefined;
    return fate;
  }

  async #open() {
    const { clientId, clientSecret } = this.#service;
    let tcp: Socket | undefined;
    const ws = new WebSocket(this.#url, this.#protocols, {
      headers: { 'X-Client-Id': clientId, 'X-Client-Secret': clientSecret },
      createConnection: () => (tcp = connect(Number(this.#url.port), this.#url.hostname)),
    });
    const closed = new Promise<number>((resolve) => ws.on('close', resolve));
    await once(ws, 'open');
    ws.on('error', () => undefined);
    return { ws, tcp, closed };
  }
}

const ours = 'still there';
/** The pong to our own ping, and not to one of the pieces. */
function answered(ws: WebSocket) {
  let take: (data: Buffer) => void = () => undefined;
  const came = new Promise<'open'>((resolve) => {
    take = (data) => {
      if (data.toString() === ours) resolve('open');
    };
    ws.on('pong', take);
  });
  return { came, stop: () => void ws.off('pong', take) };
}

function send(ws: WebSocket, tcp: Socket | undefined, piece: Piece): void {
  const { data } = piece;
  if (piece.how === 'raw') tcp?.write(data);
  else if (piece.how === 'close') ws.close(piece.code, data);
  else if (piece.how === 'ping') ws.ping(data);
  else if (piece.how === 'pong') ws.pong(data);
  else if (piece.how === 'fragments') {
    const half = Math.floor(data.length / 2);
    ws.send(data.subarray(0, half), { binary: false, fin: false });
    ws.send(data.subarray(half), { binary: false, fin: true });
  } else ws.send(data, { binary: piece.how === 'binary' });
}
