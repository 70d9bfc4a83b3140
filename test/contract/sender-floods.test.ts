// The sender against receivers that answer without end in the parts of an answer that are no body: interim answers, chunk
// framing, a status line, empty lines. Nobody else waits on them, and the real time they get is far below the deadline.
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { NastyReceiver } from '../support/nasty-receiver.ts';
import { selfSigned } from '../support/self-signed.ts';
import { until } from '../support/until.ts';
import { failed, senderRig } from './sender-rig.ts';

const rig = senderRig();

/** As fast as the other side reads, for as long as there is one; tells how much that was. */
function pour(socket: Socket, text: string): { readonly bytes: () => number } {
  const block = Buffer.from(text.repeat(Math.ceil(16_384 / text.length)));
  const more = () => {
    if (!socket.destroyed) socket.write(block, more);
  };
  more();
  return { bytes: () => socket.bytesWritten };
}

/** What the kernels on both sides buffer comes on top of what is read. */
const buffersMax = 16 * 1024 * 1024;

describe('an answer without end', () => {
  const beforeTheHead: [string, string, string][] = [
    ['interim answers', '', 'HTTP/1.1 102 Processing\r\n\r\n'],
    ['interim answers with much in them', '', `HTTP/1.1 103 Hints\r\n${'x: y\r\n'.repeat(1_000)}\r\n`],
    ['a status line', 'HTTP/1.1 200 ', 'all is well '],
    ['empty lines', '', '\r\n'],
    ['blanks in a header', 'HTTP/1.1 200 OK\r\nx:', ' '],
  ];
  it.each(beforeTheHead)('%s: is no HTTP that is understood here', async (_name, start, again) => {
    for (const tls of [false, true]) {
      let poured = { bytes: () => 0 };
      await using nasty = await NastyReceiver.start(
        (socket) => {
          socket.write(start);
          poured = pour(socket, again);
        },
        { tls },
      );
      const sender = rig.start(tls ? { tls: { ca: selfSigned.cert } } : {});
      const outcome = await rig.send(sender, nasty.url('/', tls ? 'receiver.test' : '127.0.0.1'));
      expect(outcome).toMatchObject(failed('protocol_error', 'HTTP/1.1'));
      await until(() => nasty.open === 0, { what: 'the receiver to see its socket end' });
      expect(poured.bytes()).toBeLessThan(buffersMax);
    }
  });

  it('interim answers: thirty are as good as none, more are too many', async () => {
    const answer = (interim: number) =>
      rig.treated((socket) =>
        socket.write(`${'HTTP/1.1 102 Processing\r\n\r\n'.repeat(interim)}HTTP/1.1 204 Done\r\n\r\n`),
      );
    expect(await answer(30)).toMatchObject({ kind: 'success', status: 204 });
    expect(await answer(40)).toMatchObject(failed('protocol_error', 'HTTP/1.1'));
  });

  const chunked = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n';
  const behindTheHead: [string, string, string, string][] = [
    ['an extension of a chunk', `${chunked}2\r\nok\r\n2;`, 'a', 'ok'],
    ['the length of a chunk', `${chunked}2\r\nok\r\n`, '0', 'ok'],
    ['trailers', `${chunked}2\r\nok\r\n0\r\n`, 'a: b\r\n', 'ok'],
  ];
  it.each(behindTheHead)('%s: the status counts', async (_name, start, again, response) => {
    let poured = { bytes: () => 0 };
    await using nasty = await NastyReceiver.start((socket) => {
      socket.write(start);
      poured = pour(socket, again);
    });
    expect(await rig.send(rig.start(), nasty.url())).toMatchObject({
      kind: 'success',
      status: 200,
      response,
    });
    await until(() => nasty.open === 0, { what: 'the receiver to see its socket end' });
    expect(poured.bytes()).toBeLessThan(buffersMax);
  });

  it('a byte to a chunk: no more than a thousand of them are read', async () => {
    await using nasty = await NastyReceiver.start((socket) =>
      socket.write(`${chunked}${'1\r\nx\r\n'.repeat(5_000)}0\r\n\r\n`),
    );
    const { kind, response } = await rig.send(rig.start(), nasty.url());
    expect(kind).toBe('success');
    expect(response?.length).toBeGreaterThan(100);
    expect(response?.length).toBeLessThan(1_100);
    await until(() => nasty.open === 0, { what: 'the receiver to see its socket end' });
  });
});

it('what one request was answered with is not counted for the next one on the connection', async () => {
  const answer = `HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n${'x'.repeat(60_000)}`;
  for (const tls of [false, true]) {
    await using nasty = await NastyReceiver.start((socket) => socket.write(answer), { tls });
    const sender = rig.start(tls ? { tls: { ca: selfSigned.cert } } : {});
    for (let n = 0; n < 20; n++) {
      const outcome = await rig.send(sender, nasty.url('/', tls ? 'receiver.test' : '127.0.0.1'));
      expect(outcome).toMatchObject({ kind: 'success', status: 200 });
    }
    expect(nasty.connections).toBe(1);
  }
});
