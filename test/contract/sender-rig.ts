// A sender on a clock that moves, with receivers on loopback, for the sender's contract. After each test nothing of it may
// be left: no timer, no listener, no socket.
import { subscribe } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect } from 'vitest';
import { createEgressGuard } from '../../src/delivery/webhooks/egress/index.ts';
import type { Outcome, OutcomeKind } from '../../src/delivery/webhooks/outcome.ts';
import type { Sender, SendRequest } from '../../src/delivery/webhooks/ports.ts';
import { createSender, type SenderDeps } from '../../src/delivery/webhooks/sender.ts';
import { parseCidrs } from '../../src/domain/cidr.ts';
import { NastyReceiver, type Behaviour, type NastyOptions } from '../support/nasty-receiver.ts';
import { Receiver, type Reply } from '../support/receiver.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { until } from '../support/until.ts';

export const secret = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
export const other = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
export const userAgent = 'eventsub-relay/9.9.9';

export const event = {
  id: 'befa7b53-d79d-478f-86b9-120f112b044e',
  cursor: 'c_42',
  provider: 'twitch',
  type: 'channel.chat.message',
  version: '1',
  event_timestamp: '2026-01-02T03:04:05.123456789Z',
  received_at: '2026-01-02T03:04:05.200Z',
  bot_account_id: null,
  topic_id: null,
  subscription: {},
  event: { text: 'Zoë 🦊 „so“' },
};
export const body = JSON.stringify(event);

/** Loopback may be called; names lead there too, unless `lookup` says otherwise. */
export function guard(
  lookup = (): Promise<{ address: string }[]> => Promise.resolve([{ address: '127.0.0.1' }]),
) {
  const allowed = parseCidrs('127.0.0.0/8');
  if (!allowed.ok) throw new Error(allowed.why);
  return createEgressGuard({ allowedCidrs: allowed.cidrs, lookup });
}

/** The sockets of every sender, from when they are opened until they are closed; and how many there ever were. */
const sockets = new Set<Socket>();
let bytesOfClosed = 0;
subscribe('net.client.socket', (message) => {
  const { socket } = message as { socket: Socket };
  sockets.add(socket);
  socket.once('close', () => {
    bytesOfClosed += socket.bytesRead;
    sockets.delete(socket);
  });
});

/** The only way to know that what was written has been read: what came out of a socket is taken at once. */
export const read = {
  get bytes(): number {
    return [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, bytesOfClosed);
  },
};

export interface SenderRig {
  readonly clock: ShiftClock;
  /** Whose signal every request has. */
  readonly caller: AbortController;
  /** Of the senders: those that are not closed. */
  readonly openSockets: number;
  start(deps?: Partial<SenderDeps>): Sender;
  send(sender: Sender, url: string, over?: Partial<SendRequest>): Promise<Outcome>;
  /** One request to a receiver that answers so. */
  replied(reply: Reply): Promise<Outcome>;
  /** One request to a receiver that behaves so. */
  treated(behave: Behaviour, options?: NastyOptions): Promise<Outcome>;
}

/** A new one before each test of the file; nothing of a sender outlives its close, whatever was done to it. */
export function senderRig(): SenderRig {
  let clock = new ShiftClock();
  let caller = new AbortController();
  let senders: Sender[] = [];

  beforeEach(() => {
    // Files share this module, and others open sockets too.
    sockets.clear();
    clock = new ShiftClock();
    caller = new AbortController();
    senders = [];
  });

  afterEach(async () => {
    await Promise.all(senders.map((sender) => sender.close()));
    // One that could not be connected is destroyed, and tells that it is closed a moment later.
    await until(() => [...sockets].every(({ destroyed }) => destroyed), { what: 'every socket to be over' });
    await until(() => rig.openSockets === 0, { what: 'every socket to be closed' });
    expect(clock.pending).toBe(0);
    expect(getEventListeners(caller.signal, 'abort')).toEqual([]);
  });

  const rig: SenderRig = {
    get clock() {
      return clock;
    },
    get caller() {
      return caller;
    },
    get openSockets() {
      return sockets.size;
    },
    start(deps = {}) {
      const sender = createSender({ guard: guard(), clock, userAgent, ...deps });
      senders.push(sender);
      return sender;
    },
    send: (sender, url, over = {}) => sender.send(request(url, over), caller.signal),
    async replied(reply) {
      await using receiver = await Receiver.start();
      receiver.reply = () => reply;
      return await rig.send(rig.start(), receiver.url());
    },
    async treated(behave, options = {}) {
      await using nasty = await NastyReceiver.start(behave, options);
      const outcome = await rig.send(rig.start(), nasty.url());
      expect(nasty.connections).toBe(1);
      return outcome;
    },
  };
  return rig;
}

export const request = (url: string, over: Partial<SendRequest> = {}): SendRequest => ({
  url,
  body,
  id: event.id,
  cursor: event.cursor,
  attempt: 1,
  secrets: [secret],
  ...over,
});

/** No answer, and a sentence with this in it. */
export const failed = (kind: OutcomeKind, code: string) => ({
  kind,
  status: null,
  retryAfterMs: null,
  response: expect.stringContaining(code) as string,
});
