// The AsyncAPI 3.0 document of the WebSocket: both ways to speak, how to log in, every message, every way it ends. Pure, as
// is document.ts.
import { closeCodes } from '../../protocol/close-codes.ts';
import { bearerProtocolPrefix, connectQuery, subprotocol } from '../../protocol/frames.ts';
import { clientMessages, eventMessages, serverMessages, type Message } from './async-messages.ts';
import { components, parameters, schemaRef } from './json-schema.ts';

type Json = Readonly<Record<string, unknown>>;

/** Where the gateway listens. */
export const socketPath = '/ws/events';

/** Why a handshake is refused, as a problem document, before there is a WebSocket. */
export const handshakeRefusals = [
  { status: 400, code: 'bad_handshake', meaning: 'Not a WebSocket handshake.' },
  { status: 400, code: 'bad_request', meaning: 'The request target is no path.' },
  { status: 400, code: 'invalid_query', meaning: '`errors` names the parameters at fault.' },
  { status: 400, code: 'unsupported_subprotocol', meaning: 'Subprotocols were offered, and none of ours.' },
  { status: 403, code: 'address_not_allowed', meaning: 'Connections from this address are not served.' },
  { status: 404, code: 'not_found', meaning: 'No WebSocket at this path.' },
  { status: 410, code: 'cursor_expired', meaning: 'Events behind `after` are gone; start at `floor`.' },
  { status: 410, code: 'cursor_foreign', meaning: '`after` is of another log; start at `floor`.' },
  { status: 414, code: 'url_too_long', meaning: 'The request target is longer than the relay takes.' },
  { status: 426, code: 'upgrade_required', meaning: 'The path speaks WebSocket, version 13.' },
  { status: 429, code: 'too_many_connections', meaning: 'Come back after Retry-After.' },
  {
    status: 429,
    code: 'too_many_failed_logins',
    meaning: 'Come back after Retry-After, with other credentials.',
  },
  { status: 431, code: 'too_many_headers', meaning: 'The request has more headers than the relay takes.' },
  { status: 503, code: 'draining', meaning: 'About to restart; come back after Retry-After.' },
  {
    status: 503,
    code: 'unavailable',
    meaning: 'Credentials cannot be checked now; come back after Retry-After.',
  },
] as const;

const description = `Events as they happen. Two ways to speak at one path, told apart by the subprotocol that is offered:

- **none**: each text frame is one event, live from now or from \`?after=\`. Frames of the client are ignored.
- **${subprotocol}**: a named consumer with a position, acknowledgements, and what comes after a break.

**Logging in**, the first that is given counts: \`X-Client-Id\` and \`X-Client-Secret\`; \`Authorization: Bearer <ws_token>\`;
the subprotocol \`${bearerProtocolPrefix}<ws_token>\` beside ${subprotocol} (browsers); \`?client_id=&client_secret=\`; \`?ws_token=\`.
A token comes from \`POST /v1/ws-token\` and is good for one connection. Wrong credentials: the handshake succeeds and the
socket is closed with ${closeCodes.unauthorized.code}.

**Messages grow.** Ignore types and members that you do not know.

The HTTP API is described at [/openapi.json](/openapi.json).`;

const securitySchemes = {
  clientSecret: {
    type: 'httpApiKey',
    in: 'header',
    name: 'X-Client-Secret',
    description: 'The secret of a service account; goes with X-Client-Id.',
  },
  bearerToken: { type: 'http', scheme: 'bearer', description: 'A token from POST /v1/ws-token.' },
  protocolToken: {
    type: 'httpApiKey',
    in: 'header',
    name: 'Sec-WebSocket-Protocol',
    description: `For browsers: \`${bearerProtocolPrefix}\` and a token, as one of the offered subprotocols.`,
  },
  querySecret: {
    type: 'httpApiKey',
    in: 'query',
    name: 'client_secret',
    description: 'The secret of a service account; goes with `client_id`. It never reaches a log.',
  },
  queryToken: {
    type: 'httpApiKey',
    in: 'query',
    name: 'ws_token',
    description: 'A token. It never reaches a log.',
  },
};
const security = Object.keys(securitySchemes).map((name) => ({
  $ref: `#/components/securitySchemes/${name}`,
}));

const all = { ...eventMessages, ...serverMessages, ...clientMessages };
const serverVariables = {
  host: { default: 'relay.example', description: 'Host and port of the relay.' },
};
const server = (protocol: string, text: string) => ({
  host: '{host}',
  protocol,
  description: text,
  variables: serverVariables,
});

export function asyncApiDocument({ version }: { readonly version: string }): Json {
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'eventsub-relay',
      version,
      description,
      tags: [{ name: 'events', description: 'Events as they happen.' }],
    },
    defaultContentType: 'application/json',
    servers: {
      tls: server('wss', 'Behind whatever terminates TLS.'),
      direct: server('ws', 'The relay itself.'),
    },
    channels: {
      plain: channel({
        title: 'Plain',
        text: 'No subprotocol is offered. Each text frame is one event.',
        messages: eventMessages,
        names: ['after', 'types'],
        protocol: undefined,
      }),
      relayV1: channel({
        title: subprotocol,
        text: `The subprotocol ${subprotocol} is offered. One JSON object per text frame, told apart by \`type\`.`,
        messages: { ...serverMessages, ...clientMessages },
        names: Object.keys(connectQuery.shape),
        protocol: subprotocol,
      }),
    },
    operations: {
      sendEvents: operation('send', 'plain', 'Events of every interest over WebSocket', eventMessages),
      sendFrames: operation('send', 'relayV1', 'What the relay sends to a consumer', serverMessages),
      receiveAcknowledgements: operation('receive', 'relayV1', 'What a consumer sends', clientMessages),
    },
    components: {
      schemas: components(all),
      messages: Object.fromEntries(Object.entries(all).map(([name, one]) => [name, render(name, one)])),
      securitySchemes,
    },
  };
}

type Messages = Readonly<Record<string, Message>>;

interface ChannelShape {
  readonly title: string;
  readonly text: string;
  readonly messages: Messages;
  /** Of the query's members. */
  readonly names: readonly string[];
  readonly protocol: string | undefined;
}

function channel({ title, text, messages, names, protocol }: ChannelShape): Json {
  const properties = Object.fromEntries(
    parameters(connectQuery)
      .filter(({ name }) => names.includes(name))
      .map(({ name, description: about, schema }) => [name, { ...queryText(schema), description: about }]),
  );
  return {
    address: socketPath,
    title,
    summary: text,
    description: [text, '', 'How it ends:', '', ...closeLines].join('\n'),
    messages: Object.fromEntries(
      Object.keys(messages).map((name) => [name, { $ref: `#/components/messages/${name}` }]),
    ),
    bindings: {
      ws: {
        method: 'GET',
        query: { type: 'object', properties },
        ...(protocol === undefined ? {} : { headers: offered(protocol) }),
        bindingVersion: '0.1.0',
      },
    },
    'x-close-codes': Object.entries(closeCodes).map(([reason, { code, advice, meaning }]) => ({
      code,
      reason,
      meaning,
      advice,
    })),
    'x-handshake-refusals': handshakeRefusals,
  };
}

const offered = (protocol: string): Json => ({
  type: 'object',
  properties: {
    'Sec-WebSocket-Protocol': {
      type: 'string',
      description: 'The offered subprotocols.',
      examples: [protocol],
    },
  },
  required: ['Sec-WebSocket-Protocol'],
});

/** What the schema parses a list into, the query carries as text. */
const queryText = (schema: Json): Json => ('type' in schema ? schema : { ...schema, type: 'string' });

const closeLines = Object.values(closeCodes).map(({ code, meaning }) => `- ${code}: ${meaning}`);

const operation = (
  action: 'send' | 'receive',
  channelName: string,
  summary: string,
  messages: Messages,
): Json => ({
  action,
  title: summary,
  summary,
  description: `${summary}.`,
  channel: { $ref: `#/channels/${channelName}` },
  messages: Object.keys(messages).map((name) => ({ $ref: `#/channels/${channelName}/messages/${name}` })),
  security,
  tags: [{ name: 'events' }],
});

const render = (name: string, { title, summary, example }: Message): Json => ({
  name,
  title,
  summary,
  contentType: 'application/json',
  payload: { $ref: schemaRef(name) },
  examples: [{ name: 'example', payload: example }],
});
