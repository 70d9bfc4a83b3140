// The wire of the fault programme does what a network does when it fails, and counts it: a fault that never happened
// proves nothing.
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProxyWire } from '../faults/wire.ts';
import { until } from '../support/until.ts';

const far: Socket[] = [];
const echo = createServer((socket) => {
  far.push(socket);
  socket.on('error', () => undefined);
  socket.on('data', (data) => socket.write(data));
});
let wire: ProxyWire;

beforeEach(async () => {
  far.length = 0;
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  wire = await ProxyWire.open(() => (echo.address() as AddressInfo).port);
});
afterEach(async () => {
  await wire[Symbol.asyncDispose]();
  for (const socket of far) socket.destroy();
  await new Promise((resolve) => echo.close(resolve));
});

async function near(): Promise<{ socket: Socket; got: () => string; error: () => string | undefined }> {
  const socket = connect(wire.port, '127.0.0.1');
  let text = '';
  let code: string | undefined;
  socket.on('data', (data) => (text += data.toString()));
  socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code));
  await once(socket, 'connect');
  return { socket, got: () => text, error: () => code };
}

describe('a wire', () => {
  it('passes everything on, and disturbs nothing, as long as it is not told to', async () => {
    const { socket, got } = await near();
    socket.write('hello');
    await until(() => got() === 'hello');
    expect(wire).toMatchObject({ open: 1, disturbed: 0 });
    socket.destroy();
    await until(() => wire.open === 0);
  });

  it('falls silent without a word, and gives what it held when it flows again', async () => {
    const { socket, got } = await near();
    await until(() => far.length === 1);
    let isClosed = false;
    socket.on('close', () => (isClosed = true));
    wire.silence();
    socket.write('one');
    await until(() => wire.disturbed > 0);
    far[0]?.destroy();
    await until(() => wire.disturbed > 1);
    expect([got(), isClosed]).toEqual(['', false]);
    wire.flow();
    await until(() => isClosed);
  });

  it('keeps the order when it was silent or slow', async () => {
    const { socket, got } = await near();
    wire.slow(30);
    const from = performance.now();
    for (let i = 0; i < 10; i++) {
      socket.write(`${i}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => got() === '0123456789');
    expect(performance.now() - from).toBeGreaterThan(55);
    wire.silence();
    socket.write('abc');
    wire.flow();
    await until(() => got() === '0123456789abc');
  });

  it('resets what is open and refuses what comes', async () => {
    const { error } = await near();
    await until(() => far.length === 1);
    expect(wire.reset()).toBe(1);
    await until(() => error() === 'ECONNRESET');
    wire.refuse();
    // Before or behind the moment at which the client takes itself for connected.
    const refusal = await near().then(
      ({ error: code }) => until(code),
      (failure: NodeJS.ErrnoException) => failure.code,
    );
    expect(refusal).toBe('ECONNRESET');
    expect(wire).toMatchObject({ open: 0, disturbed: 2 });
    wire.flow();
    const { socket, got } = await near();
    socket.write('again');
    await until(() => got() === 'again');
  });
});
