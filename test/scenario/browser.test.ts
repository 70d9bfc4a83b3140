// The client in a real browser, from a page of another origin: a token from the page's own server, events with positions
// and acknowledgements, a resume after the relay restarted.
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { browserPath, browserRequired, openBrowser } from '../support/browser.ts';
import { until } from '../support/until.ts';
import { worlds } from '../support/world.ts';

const place = worlds();
const hasBrowser = browserPath() !== undefined || browserRequired();
beforeAll(() => place.open());
afterAll(() => place.close());

const page = `<!doctype html><title>overlay</title><p id="state">starting</p><script type="module">
  import { createRelayClient } from '/client.js';
  const tell = (what) => fetch('/tell', { method: 'POST', body: JSON.stringify(what) });
  try {
    const { url } = await (await fetch('/relay')).json();
    const token = async () => (await (await fetch('/token', { method: 'POST' })).json()).ws_token;
    const relay = createRelayClient({ url, token });
    for await (const { event, attempt } of relay.deliveries({ consumer: 'page', onHello: (hello) => void tell({ hello: hello.resumed }) })) {
      document.querySelector('#state').textContent = event.type;
      await tell({ id: event.id, type: event.type, attempt, text: event.event?.message?.text });
    }
  } catch (error) {
    await tell({ error: String(error) });
  }
</script>`;

interface Told {
  readonly hello?: boolean;
  readonly id?: string;
  readonly type?: string;
  readonly attempt?: number;
  readonly text?: string;
  readonly error?: string;
}

const bodyOf = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
};

describe('the client in a browser', () => {
  it.runIf(hasBrowser)(
    'logs in with a token, receives, acknowledges and resumes',
    { timeout: 60_000 },
    async () => {
      const bundle = await build({
        entryPoints: [join(import.meta.dirname, '..', '..', 'src', 'client', 'index.ts')],
        bundle: true,
        format: 'esm',
        platform: 'browser',
        target: 'es2022',
        write: false,
      });
      const script = bundle.outputFiles[0]?.text ?? '';
      await using world = await place.create();
      const bot = await world.addBot();
      const service = await world.addService();
      await world.addInterest(service, bot, 'channel.chat.message');
      const told: Told[] = [];
      const routes: Readonly<Record<string, (request: IncomingMessage) => Promise<[string, string]>>> = {
        '/': async () => ['text/html', page],
        '/client.js': async () => ['text/javascript', script],
        '/relay': async () => ['application/json', JSON.stringify({ url: world.url })],
        '/token': async () => {
          const { body } = await world.call('POST', '/v1/ws-token', { as: service });
          return ['application/json', JSON.stringify(body)];
        },
        '/tell': async (request) => {
          told.push(JSON.parse(await bodyOf(request)) as Told);
          return ['text/plain', 'ok'];
        },
      };
      const server: Server = createServer((request, response) => {
        const answer =
          routes[request.url ?? ''] ?? (() => Promise.resolve<[string, string]>(['text/plain', '']));
        void answer(request).then(
          ([type, body]) => response.setHeader('content-type', type).end(body),
          () => response.writeHead(503).end(),
        );
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      try {
        await using browser = await openBrowser(
          `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
        );
        expect(browser.child.pid).toBeGreaterThan(0);
        await until(() => told.some((each) => each.hello === false || each.error), {
          what: 'the page to connect',
          timeoutMs: 30_000,
        });
        const chat = () => world.sim.send('channel.chat.message', { broadcaster_user_id: bot.user.id })[0];
        const [one, two] = [chat(), chat()];
        const ids = () => told.flatMap((each) => (each.type === 'channel.chat.message' ? [each.id] : []));
        await until(() => ids().length === 2, { what: 'two events' });
        expect(ids()).toEqual([one?.messageId, two?.messageId]);
        // Acknowledged by the loop, as the relay sees it.
        await until(
          async () => {
            const { body } = await world.call<{ name: string; behind_events: number }[]>(
              'GET',
              '/v1/consumers',
              { as: service },
            );
            return body.find((each) => each.name === 'page')?.behind_events === 0;
          },
          { what: 'the acknowledgement' },
        );
        await world.restart();
        await world.ready();
        await until(() => told.some((each) => each.hello === true), {
          what: 'the page to come back',
          timeoutMs: 30_000,
        });
        const three = chat();
        await until(() => ids().length === 3, { what: 'the third event' });
        expect(ids()).toEqual([one?.messageId, two?.messageId, three?.messageId]);
        expect(told.filter((each) => each.error)).toEqual([]);
      } finally {
        server.closeAllConnections();
        await new Promise((resolve) => server.close(resolve));
      }
    },
  );
});
