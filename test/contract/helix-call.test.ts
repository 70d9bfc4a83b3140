// One call to Helix against a server that answers badly: whatever comes, the call ends, and nobody waits for ever.
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HelixClient } from '../../src/upstream/twitch/helix-call.ts';

let server: Server;
let requests: string[];
let connections: number;
/** What the server writes for each request; `end` closes behind it. */
let answers: { readonly text: string; readonly end?: boolean }[];

beforeEach(async () => {
  requests = [];
  answers = [];
  connections = 0;
  server = createServer((socket: Socket) => {
    connections++;
    socket.on('error', () => undefined);
    socket.on('data', (data: Buffer) => {
      requests.push(data.toString('utf8'));
      const { text, end } = answers.shift() ?? { text: '', end: true };
      if (end) socket.end(text);
      else socket.write(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
});

const client = (mockApiPort = (server.address() as AddressInfo).port) =>
  new HelixClient({ clientId: 'the-client', mockApiPort });
const list = { method: 'GET', path: 'eventsub/subscriptions' } as const;
const ok = (body: string, headers = '') =>
  `HTTP/1.1 200 OK\r\ncontent-length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;

it('sends what Twitch asks for, and gives back status, headers and text', async () => {
  answers.push({ text: ok('{"data":["ä"]}', 'Ratelimit-Remaining: 7\r\n'), end: true });
  const json = { type: 'channel.follow' };
  const { status, headers, text } = await client().call('the-token', {
    method: 'POST',
    path: 'eventsub/subscriptions',
    query: { after: 'a b&c', left_out: undefined },
    json,
  }).answer;
  expect({ status, left: headers['ratelimit-remaining'], text }).toEqual({
    status: 200,
    left: '7',
    text: '{"data":["ä"]}',
  });
  const [request = ''] = requests;
  expect(request).toMatch(/^POST \/eventsub\/subscriptions\?after=a\+b%26c HTTP\/1\.1\r\n/);
  expect(request).toMatch(/\r\nauthorization: Bearer the-token\r\n/);
  expect(request).toMatch(/\r\nclient-id: the-client\r\n/);
  expect(request).toMatch(/\r\nuser-agent: eventsub-relay\r\n/);
  expect(request).toMatch(/\r\ncontent-type: application\/json\r\n/);
  expect(request.endsWith(`\r\n\r\n${JSON.stringify(json)}`)).toBe(true);
});

it('uses a connection again', async () => {
  const one = client();
  answers.push({ text: ok('1') }, { text: ok('2'), end: true });
  expect((await one.call('t', list).answer).text).toBe('1');
  expect((await one.call('t', list).answer).text).toBe('2');
  expect(connections).toBe(1);
});

const bad: Record<string, string> = {
  'nothing at all': '',
  'no HTTP': 'SSH-2.0-OpenSSH_9.2\r\n\r\n',
  'half a head': 'HTTP/1.1 200 OK\r\ncontent-le',
  'half a body': 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"data":[',
  'a protocol that nobody asked for':
    'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
  'an answer without end': ok('x'.repeat(4 * 1024 * 1024 + 1)),
};
for (const [what, text] of Object.entries(bad)) {
  it(`rejects ${what}`, async () => {
    answers.push({ text, end: true });
    await expect(client().call('t', list).answer).rejects.toThrow();
  });
}

it('rejects when nobody listens, and a token that no header can carry', async () => {
  await expect(client().call('a\nb', list).answer).rejects.toThrow();
  await expect(client(1).call('t', list).answer).rejects.toThrow();
});

it('ends when it is aborted, before an answer and in the middle of one', async () => {
  for (const text of ['', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"data":[']) {
    const before = requests.length;
    answers.push({ text });
    const call = client().call('t', list);
    const outcome = expect(call.answer).rejects.toThrow('abort');
    await expect.poll(() => requests.length).toBe(before + 1);
    call.abort();
    await outcome;
  }
});
