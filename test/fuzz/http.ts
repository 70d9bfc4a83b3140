// The HTTP API of the running relay: every route with a body or a query, filled from its own schema and then spoilt, beside
// requests that no sane client sends.
import fc from 'fast-check';
import { operations } from '../../src/http/openapi/operations/index.ts';
import { schemas } from '../../src/http/openapi/schemas.ts';
import { garbage, Sender, type Garbage } from '../support/garbage.ts';
import { complaintOf } from '../support/proper-answer.ts';
import { adminKey } from '../support/world.ts';
import { bodyAround, oddText, type Json } from './grammar.ts';
import { liveWorld, type LiveWorld } from './live-world.ts';
import { valuesOf, type Known } from './schema-values.ts';
import { defineTarget, ServerFault } from './target.ts';

/** Fewer, and a request is as good as alone. */
const answerWithinMs = 10_000;
const webhookUrl = 'http://127.0.0.1:9/hook';

interface Ground {
  readonly known: Known;
  /** Path parameters that name something, which may be used up. */
  readonly ids: readonly string[];
  readonly credentials: readonly Readonly<Record<string, string>>[];
}

/** Requests that a route is made for: by the description of the API, so that a new route is fuzzed without a word here. */
function described({ known, ids, credentials }: Ground): fc.Arbitrary<Garbage> {
  const address = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255)).map((parts) => `10.${parts.join('.')}`);
  const requests = operations
    .filter(({ body, query }) => body !== undefined || query !== undefined)
    .map(({ method, path, body, query }) =>
      fc.record({
        method: fc.constant(method.toUpperCase()),
        path: fc.constant(path),
        id: fc.oneof({ weight: 6, arbitrary: fc.constantFrom(...ids) }, { weight: 1, arbitrary: fc.uuid() }),
        query: query ? queries(valuesOf(query, known)) : fc.constant(''),
        body: body ? bodyAround(valuesOf(schemas[body].schema, known)) : fc.constant(undefined),
        headers: fc.constantFrom(...credentials),
        address,
      }),
    );
  return fc.oneof(...requests).map(({ method, path, id, query, body, headers, address: from }) => ({
    method,
    target: path.replaceAll(/\{\w+\}/g, encodeURIComponent(id)) + query,
    headers: { 'x-forwarded-for': from, 'content-type': 'application/json', ...headers },
    body,
  }));
}

function queries(values: fc.Arbitrary<Json>): fc.Arbitrary<string> {
  const spoilt = fc.dictionary(fc.constantFrom('limit', 'after', 'types', 'state', '__proto__'), oddText, {
    maxKeys: 1,
  });
  return fc
    .tuple(values, fc.oneof({ weight: 2, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: spoilt }))
    .map(([value, odd]) => {
      const query = new URLSearchParams();
      for (const [name, member] of Object.entries({ ...(value as object), ...odd }))
        // Waiting is not what this is about.
        query.set(name, name === 'wait' ? '0' : String(member).toWellFormed());
      const text = query.toString();
      return text === '' ? '' : `?${text}`;
    });
}

async function groundOf({ world, bot, service }: LiveWorld) {
  const [victim, lostBot] = [await world.addService(), await world.addBot()];
  const wish = { bot_account_id: bot.id, event_type: 'channel.follow', broadcaster_user_id: bot.user.id };
  const hook = await world.call<{ endpoint_id: string; id: string }>('POST', '/v1/interests', {
    as: service,
    body: { ...wish, transport: 'webhook', webhook_url: webhookUrl },
  });
  const asService = { 'x-client-id': service.clientId, 'x-client-secret': service.clientSecret };
  const both = { 'x-admin-key': adminKey, ...asService };
  const known: Known = {
    bot_account_id: fc.constantFrom(bot.id, lostBot.id),
    bot_account_ids: fc.constantFrom<Json[]>([bot.id], [], [lostBot.id]),
    event_type: fc.constantFrom('channel.follow', 'channel.chat.message', 'channel.raid', 'channel.cheer'),
    event_types: fc.constantFrom<Json[]>(['channel.follow'], ['channel.chat.message', 'channel.cheer']),
    broadcaster_user_id: fc.constantFrom(bot.user.id, 'https://www.twitch.tv/somebody', 'somebody'),
    condition: fc.constantFrom<Json[]>(null, { broadcaster_user_id: bot.user.id }, {}),
    version: fc.constantFrom<Json[]>(null, '2', '1'),
    // Others would be looked up at a name server.
    webhook_url: fc.constantFrom<Json[]>(null, webhookUrl, 'http://127.0.0.1:9/other', 'http://10.0.0.1/'),
    endpoint_id: fc.constant(hook.body.endpoint_id),
    endpoint: fc.constant(hook.body.endpoint_id),
    access_token: fc.constantFrom(lostBot.accessToken, 'unknown'),
  };
  const ids = [lostBot.id, victim.clientId, hook.body.endpoint_id, hook.body.id, 'desk'];
  const credentials = [both, both, both, both, both, both, { 'x-admin-key': adminKey }, asService, {}];
  const nonsense = garbage({
    routes: world.daemon.routes,
    ids,
    values: [bot.id, 'channel.follow', 'websocket', 'webhook', webhookUrl, true, ['channel.follow']],
    wish: { ...wish, transport: 'websocket' },
    credentials,
  });
  return fc.oneof(
    { weight: 3, arbitrary: described({ known, ids, credentials }) },
    { weight: 1, arbitrary: nonsense },
  );
}

export const http = defineTarget({
  name: 'http',
  what: 'requests to the running relay',
  kind: 'live',
  piecesPerInput: 3.5,
  deadlineMs: 15_000,
  async open() {
    const live = await liveWorld();
    const { world, bot, service } = live;
    const sender = new Sender(world.url);
    const secrets = [adminKey, service.clientSecret, bot.accessToken, bot.refreshToken];
    const ask = async (given: Garbage): Promise<number> => {
      const answer = await sender.send(given, answerWithinMs);
      const complaint = complaintOf(given, answer);
      const said = () => `${given.method} ${given.target}: ${answer.status} ${answer.text.slice(0, 300)}`;
      if (complaint !== undefined) {
        const message = `${complaint}: ${said()}`;
        throw answer.status >= 500 ? new ServerFault(message) : new Error(message);
      }
      if (secrets.some((secret) => answer.text.includes(secret))) throw new Error(`a secret: ${said()}`);
      return answer.status;
    };
    return {
      // A few at once, as requests come.
      input: fc.array(await groundOf(live), { minLength: 2, maxLength: 6 }),
      async run(requests) {
        const statuses = await Promise.all(requests.map(ask));
        live.checkLog();
        const accepted = statuses.filter((status) => status < 400).length;
        return { accepted, refused: statuses.length - accepted };
      },
      async stillWorks() {
        const view = await world.addInterest(service, bot, 'channel.follow');
        if (view.state !== 'active') throw new Error(`a good interest is ${view.state}`);
      },
      async close() {
        sender[Symbol.dispose]();
        await live[Symbol.asyncDispose]();
      },
    };
  },
});
