// How each server is spoken to once its socket is open: what a consumer says first, what a delivery is, what must be answered.
import { AckQueue } from '../../src/client/ack-queue.ts';
import { wallClock } from '../../src/client/clock.ts';
import { connectLimits } from '../../src/protocol/frames.ts';
import type { Dialect, SocketSpec } from './messages.ts';
import { NatsScanner } from './nats-scanner.ts';
import { opcodes, WebSocketScanner } from './websocket-scanner.ts';
import { WebSocketStream } from './websocket-stream.ts';

/** What a dialect may do with its socket. */
export interface Line {
  readonly spec: SocketSpec;
  send(opcode: number, payload: string | Buffer): void;
  /** Events can come from now on. */
  ready(): void;
  /** An event; its text begins at `from` in bytes that are only good during the call. */
  delivered(bytes: Buffer, from: number): void;
  failed(why: string): void;
}

export interface Spoken {
  /** The socket is open. */
  greet(): void;
  /** What was read: `bytes` up to `end`. */
  feed(bytes: Buffer, end: number): void;
}

const { text, binary, close, ping, pong } = opcodes;
const eventHead = Buffer.from('{"type":"event","cursor":"');
const quote = 0x22;

export const speak: Readonly<Record<Dialect, (line: Line) => Spoken>> = {
  plain: (line) => ({
    greet: () => line.ready(),
    feed: byFrame(line, (bytes, from) => line.delivered(bytes, from)),
  }),

  /** Acknowledges as the relay's own client does, with its own queue, which is told once for all that a read has brought. */
  'relay.v1': (line) => {
    const acks = new AckQueue({
      clock: wallClock,
      maxInFlight: connectLimits.maxInFlightMax,
      random: Math.random,
      send(cursor) {
        line.send(text, `{"type":"ack","cursor":"${cursor}"}`);
        return true;
      },
    });
    let cursor: { bytes: Buffer; from: number } | undefined;
    const scan = byFrame(line, (bytes, from) => {
      if (bytes.compare(eventHead, 0, eventHead.length, from, from + eventHead.length) !== 0)
        return line.ready();
      cursor = { bytes, from: from + eventHead.length };
      line.delivered(bytes, from);
    });
    return {
      greet: () => undefined,
      feed(bytes, end) {
        scan(bytes, end);
        if (!cursor) return;
        const named = cursor.bytes.toString('latin1', cursor.from, cursor.bytes.indexOf(quote, cursor.from));
        cursor = undefined;
        acks.done(named);
      },
    };
  },

  /** https://socket.io/docs/v4/engine-io-protocol/ and …/socket-io-protocol/ */
  'socket.io': (line) => ({
    greet: () => undefined,
    feed: byFrame(line, (bytes, from) => {
      switch (bytes.toString('latin1', from, from + 2)) {
        case '42':
          return line.delivered(bytes, from);
        case '40':
          return line.ready();
        case '0{':
          return line.send(text, '40');
        default:
          if (bytes.toString('latin1', from, from + 1) === '2') line.send(text, '3');
      }
    }),
  }),

  nats: (line) => {
    const scanner = new NatsScanner({
      message: (bytes, from) => line.delivered(bytes, from),
      line(said) {
        if (said === 'PING') line.send(binary, 'PONG\r\n');
        else if (said === 'PONG') line.ready();
        else if (said.startsWith('-ERR')) line.failed(said);
      },
    });
    const stream = new WebSocketStream((opcode, bytes, from, until) => {
      if (opcode === binary || opcode === 0) scanner.feed(bytes, from, until);
    });
    return {
      greet: () =>
        line.send(binary, `CONNECT {"verbose":false}\r\nSUB ${line.spec.subject ?? '>'} 1\r\nPING\r\n`),
      feed: (bytes, end) => stream.feed(bytes, end),
    };
  },
};

/** Messages go to `onMessage`; pings are answered here. */
function byFrame(line: Line, onMessage: (bytes: Buffer, from: number) => void) {
  const scanner = new WebSocketScanner((opcode, bytes, from, length) => {
    if (opcode === text || opcode === binary) onMessage(bytes, from);
    else if (opcode === ping) line.send(pong, Buffer.from(bytes.subarray(from, from + length)));
    else if (opcode === close) line.failed('the server said goodbye');
  });
  return (bytes: Buffer, end: number) => scanner.feed(bytes, end);
}
