// The connector on real sockets: one deadline over name server, TCP and TLS, the next address when one fails, and
// nothing left behind. The clock is moved, never waited for.
import type { AddressInfo } from 'node:net';
import { connect, createServer, Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { ConnectTimeoutError } from '../../src/delivery/webhooks/egress/index.ts';
import { attemptDelayMs, maxAttempts } from '../../src/delivery/webhooks/egress/socket-race.ts';
import { ShiftClock } from '../support/shift-clock.ts';
import { until } from '../support/until.ts';
import { scriptedLookup, startClient, startReceiver, watchSockets } from './egress-rig.ts';

const allow = '127.0.0.0/8';
const caught = (reason: unknown) => reason;

/** Accepts, and says nothing. */
async function startMute() {
  const live = new Set<Socket>();
  const server = createServer((socket) => {
    live.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => live.delete(socket));
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    live,
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of live) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Nothing listens there any more. */
async function freePort(): Promise<number> {
  await using mute = await startMute();
  return mute.port;
}

describe('the deadline', () => {
  it('covers a resolver that never answers, and what it says later opens no socket', async () => {
    await using receiver = await startReceiver();
    const clock = new ShiftClock();
    let answer: (address: string) => void = () => {};
    let asked = 0;
    const lookup = () => {
      asked++;
      return new Promise<{ address: string }[]>((resolve) => {
        answer = (address) => resolve([{ address }]);
      });
    };
    await using client = startClient({ lookup, allow, clock });
    using sockets = watchSockets();
    const posted = client.post(`http://hooks.example:${receiver.port}/`).catch(caught);
    await until(() => asked === 1, { what: 'the question' });
    await clock.advance(4_900);
    expect(clock.pending).toBe(1);
    await clock.advance(200);
    const error = await posted;
    expect(error).toBeInstanceOf(ConnectTimeoutError);
    expect(error).toMatchObject({
      code: 'CONNECT_TIMEOUT',
      phase: 'resolve',
      message: expect.stringContaining('5000') as string,
    });
    answer('127.0.0.1');
    await new Promise((resolve) => setImmediate(resolve));
    expect([sockets.opened.length, clock.pending, receiver.seen.connections]).toEqual([0, 0, 0]);
  });

  it('ignores a resolver that fails after it', async () => {
    const clock = new ShiftClock();
    let fail: (error: Error) => void = () => {};
    const lookup = () =>
      new Promise<{ address: string }[]>((_, reject) => {
        fail = reject;
      });
    await using client = startClient({ lookup, allow, clock });
    const posted = client.post('http://hooks.example:1/').catch(caught);
    await until(() => clock.pending === 1);
    await clock.advance(5_001);
    expect(await posted).toMatchObject({ phase: 'resolve' });
    // An unhandled rejection would fail the run.
    fail(new Error('late'));
    await new Promise((resolve) => setImmediate(resolve));
  });

  it('covers addresses that keep silent, and destroys every socket', async () => {
    const clock = new ShiftClock();
    const opened: Socket[] = [];
    await using client = startClient({
      names: { 'hooks.example': [['127.0.0.1', '127.0.0.2', '127.0.0.3']] },
      allow,
      clock,
      connector: {
        openSocket: () => {
          const socket = new Socket();
          opened.push(socket);
          return socket;
        },
      },
    });
    const posted = client.post('http://hooks.example:1/').catch(caught);
    await until(() => opened.length === 1, { what: 'the first socket' });
    await clock.advance(attemptDelayMs + 1);
    await clock.advance(attemptDelayMs + 1);
    expect(opened.length).toBe(3);
    expect(opened.filter((socket) => socket.destroyed)).toEqual([]);
    await clock.advance(5_000);
    expect(await posted).toMatchObject({ code: 'CONNECT_TIMEOUT', phase: 'tcp' });
    expect(opened.filter((socket) => !socket.destroyed)).toEqual([]);
    expect([opened.length, clock.pending]).toEqual([3, 0]);
  });

  it('covers a receiver that never shakes hands', async () => {
    await using mute = await startMute();
    const clock = new ShiftClock();
    await using client = startClient({ allow, clock });
    const posted = client.post(`https://127.0.0.1:${mute.port}/`).catch(caught);
    await until(() => mute.live.size === 1, { what: 'the connection' });
    await clock.advance(5_001);
    // The listener may have seen the connection before this side did; either way it is over.
    expect(await posted).toMatchObject({
      code: 'CONNECT_TIMEOUT',
      phase: expect.stringMatching(/^t/) as string,
    });
    await until(() => mute.live.size === 0, { what: 'the end of the connection' });
    expect(clock.pending).toBe(0);
  });

  it('is over once the connection stands', async () => {
    await using receiver = await startReceiver();
    const clock = new ShiftClock();
    await using client = startClient({ allow, clock });
    using sockets = watchSockets();
    expect(await client.post(`http://127.0.0.1:${receiver.port}/`)).toBe(204);
    expect(clock.pending).toBe(0);
    await clock.advance(60_000);
    expect(sockets.opened.map((socket) => socket.destroyed)).toEqual([false]);
  });
});

describe('several addresses', () => {
  const two = { 'hooks.example': [['127.0.0.2', '127.0.0.1']] };

  it('does not come to the next one when the first answers, nor later', async () => {
    await using receiver = await startReceiver();
    const clock = new ShiftClock();
    await using client = startClient({ names: two, allow, clock, instead: receiver.port });
    expect(await client.post(`http://hooks.example:${receiver.port}/`)).toBe(204);
    expect(clock.pending).toBe(0);
    await clock.advance(attemptDelayMs * 2);
    expect(client.dialled).toEqual(['127.0.0.2']);
  });

  it('tries the next one when one refuses', async () => {
    await using receiver = await startReceiver();
    const closedPort = await freePort();
    const clock = new ShiftClock();
    const dialled: string[] = [];
    await using client = startClient({
      names: two,
      allow,
      clock,
      connector: {
        openSocket: ({ address }, port) => {
          dialled.push(address);
          return connect(address === '127.0.0.2' ? closedPort : port, '127.0.0.1');
        },
      },
    });
    expect(await client.post(`http://hooks.example:${receiver.port}/`)).toBe(204);
    expect(dialled).toEqual(['127.0.0.2', '127.0.0.1']);
    expect(clock.pending).toBe(0);
  });

  it('tries the next one beside one that keeps silent, and drops the silent one', async () => {
    await using receiver = await startReceiver();
    const clock = new ShiftClock();
    const silent = new Socket();
    let dialled = 0;
    await using client = startClient({
      names: two,
      allow,
      clock,
      connector: {
        openSocket: ({ address }, port) => {
          dialled++;
          return address === '127.0.0.2' ? silent : connect(port, address);
        },
      },
    });
    const posted = client.post(`http://hooks.example:${receiver.port}/`);
    await until(() => dialled === 1, { what: 'the silent one' });
    await clock.advance(attemptDelayMs + 1);
    expect(await posted).toBe(204);
    expect([dialled, silent.destroyed, clock.pending]).toEqual([2, true, 0]);
  });

  it.each([
    ['ECONNREFUSED', ['ENETUNREACH', 'ECONNREFUSED']],
    ['ECONNREFUSED', ['ECONNREFUSED', 'ENETUNREACH']],
    ['ENETUNREACH', ['ENETUNREACH', 'EHOSTUNREACH']],
  ])('reports %s out of %j', async (code, codes) => {
    const failing = [...codes];
    await using client = startClient({
      names: two,
      allow,
      connector: {
        openSocket: () => {
          const socket = new Socket();
          const error = Object.assign(new Error('test'), { code: failing.shift() });
          process.nextTick(() => socket.destroy(error));
          return socket;
        },
      },
    });
    await expect(client.post('http://hooks.example:1/')).rejects.toMatchObject({ code });
    expect(failing).toEqual([]);
  });

  it('survives a socket that cannot even be opened', async () => {
    let dialled = 0;
    await using client = startClient({
      names: two,
      allow,
      connector: {
        openSocket: () => {
          dialled++;
          throw Object.assign(new Error('too many open files'), { code: 'EMFILE' });
        },
      },
    });
    await expect(client.post('http://hooks.example:1/')).rejects.toMatchObject({ code: 'EMFILE' });
    expect(dialled).toBe(2);
  });

  it('does not try hundreds of them', async () => {
    const addresses = Array.from({ length: 200 }, (_, n) => `127.0.1.${n}`);
    let dialled = 0;
    await using client = startClient({
      names: { 'hooks.example': [addresses] },
      allow,
      connector: {
        openSocket: () => {
          dialled++;
          throw Object.assign(new Error('no'), { code: 'ECONNREFUSED' });
        },
      },
    });
    await expect(client.post('http://hooks.example:1/')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(dialled).toBe(maxAttempts);
  });
});

describe("errors of Node's own keep their code", () => {
  it('a refused connection', async () => {
    const port = await freePort();
    await using client = startClient({ allow });
    await expect(client.post(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      code: 'ECONNREFUSED',
      address: '127.0.0.1',
    });
  });

  it('a name that does not resolve', async () => {
    await using client = startClient({ lookup: scriptedLookup({}) });
    await expect(client.post('http://nowhere.example/')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });
});

describe('stopping', () => {
  it.each(['resolve', 'tcp', 'tls'])('cuts off what is being opened: %s', async (phase) => {
    await using mute = await startMute();
    const clock = new ShiftClock();
    const stop = new AbortController();
    const silent = new Socket();
    let begun = 0;
    await using client = startClient({
      ...(phase === 'resolve'
        ? {
            lookup: () => {
              begun++;
              return new Promise(() => {});
            },
          }
        : { names: { 'hooks.example': [['127.0.0.1']] } }),
      allow,
      clock,
      connector: {
        signal: stop.signal,
        ...(phase === 'tcp'
          ? {
              openSocket: () => {
                begun++;
                return silent;
              },
            }
          : {}),
      },
    });
    const posted = client.post(`https://hooks.example:${mute.port}/`).catch(caught);
    await until(() => begun === 1 || mute.live.size === 1, { what: 'the attempt' });
    const reason = new Error('stopping');
    stop.abort(reason);
    expect(await posted).toBe(reason);
    expect(clock.pending).toBe(0);
    if (phase === 'tcp') expect(silent.destroyed).toBe(true);
    await until(() => mute.live.size === 0, { what: 'the end of the connection' });
    // And nothing is begun afterwards.
    await expect(client.post(`http://127.0.0.1:${mute.port}/`)).rejects.toBe(reason);
    expect(mute.live.size).toBe(0);
  });

  it('cuts off between the connect and the handshake as well', async () => {
    await using mute = await startMute();
    const stop = new AbortController();
    const reason = new Error('stopping');
    let fired = 0;
    await using client = startClient({
      allow,
      connector: {
        signal: stop.signal,
        openSocket: ({ address }, port) => {
          const socket = connect(port, address);
          const abort = () => {
            fired++;
            stop.abort(reason);
          };
          return socket.once('connect', () => queueMicrotask(abort));
        },
      },
    });
    await expect(client.post(`https://127.0.0.1:${mute.port}/`)).rejects.toBe(reason);
    expect(fired).toBe(1);
    await until(() => mute.live.size === 0, { what: 'the end of the connection' });
  });
});
