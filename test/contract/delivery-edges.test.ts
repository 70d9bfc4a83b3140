// Edges of what a consumer is promised: what a refusal may not forget, acknowledgements that come while a connection ends,
// parameters that are there and empty.
import { once } from 'node:events';
import { connect } from 'node:net';
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { until } from '../support/until.ts';
import { TestClient, attemptsOf, seqsOf } from './gateway-client.ts';
import { cursorOf, secret, service, startRig } from './gateway-rig.ts';

const headers = { 'x-client-id': service.clientId, 'x-client-secret': secret };
const relay = { protocols: ['relay.v1'], headers };

test('a refused position does not forget that the end before it was unclean', async () => {
  await using rig = await startRig();
  rig.feed.append(10);
  // As a relay that was killed leaves it: seven were sent, the row knows of none.
  await rig.store.consumers.open(service.id, 'default', { startSeq: 0 });
  rig.feed.floor = 4;
  using refused = new TestClient(rig.port, relay);
  expect((await refused.closing()).code).toBe(4410);
  using early = new TestClient(rig.port, { ...relay, query: { on_expired: 'earliest' } });
  await early.until('the rest', () => early.events().length >= 6);
  expect(seqsOf(early.events().slice(0, 6))).toEqual([5, 6, 7, 8, 9, 10]);
  expect(attemptsOf(early.events().slice(0, 6))).toEqual([2, 2, 2, 2, 2, 2]);
});

test('an acknowledgement over HTTP while the connection closes is left to the row, not swallowed', async () => {
  await using rig = await startRig();
  const socket = connect(rig.port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  const lines = [
    'GET /ws/events HTTP/1.1',
    'Host: relay',
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Protocol: relay.v1',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  await until(() => rig.gateway.isConnected(service.id, 'default'), { what: 'the connection' });
  rig.feed.append(3);
  await until(() => rig.gateway.stats().eventsSent['relay.v1'] === 3, { what: 'the events' });
  expect(rig.gateway.acknowledge(service.id, 'default', 1)).toBe('applied');
  // This client never answers the close frame, so the socket stays for a while.
  rig.store.emit({ kind: 'service', serviceAccountId: service.id, what: 'disabled' });
  expect(rig.gateway.acknowledge(service.id, 'default', 2)).toBe('not_connected');
  socket.destroy();
});

test('`types` that names nothing is as if it were not there', async () => {
  await using rig = await startRig();
  rig.feed.append(2);
  for (const types of ['', ',', ' , ']) {
    using plain = new TestClient(rig.port, { headers, query: { after: cursorOf(0), types } });
    await plain.until('events', () => plain.frames.length === 2);
  }
});
