// The two documents by themselves: examples fit, nothing of this machine is in them, the same tables give the same text,
// what they repeat of the code is what the code says; and the linter that stands over them does object.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { gatewayPath } from '../../src/delivery/gateway/refusal.ts';
import { gapEvent, interestEvent } from '../../src/domain/relay-event.ts';
import { asyncApiDocument, handshakeRefusals, socketPath } from '../../src/http/openapi/async-document.ts';
import {
  clientMessages,
  endpointTypes,
  eventMessages,
  interestTypes,
  serverMessages,
} from '../../src/http/openapi/async-messages.ts';
import { openApiDocument } from '../../src/http/openapi/document.ts';
import { operations } from '../../src/http/openapi/operations/index.ts';
import { problems } from '../../src/http/openapi/problems.ts';
import { schemas } from '../../src/http/openapi/schemas.ts';
import { isEndpointEvent, isGap, isInterestEvent } from '../../src/client/event-guards.ts';
import { closeCodes } from '../../src/protocol/close-codes.ts';
import { connectQuery, serverFrame } from '../../src/protocol/frames.ts';

const root = join(import.meta.dirname, '..', '..');
const texts = () =>
  [openApiDocument, asyncApiDocument].map((make) => JSON.stringify(make({ version: '9.8.7' })));
const [openApi, asyncApi] = texts().map((text) => JSON.parse(text) as Json);
type Json = Readonly<Record<string, unknown>>;
const inside = (place: unknown, ...path: string[]): Json =>
  path.reduce<Json>((at, name) => (at[name] ?? {}) as Json, place as Json);

describe('examples', () => {
  it.each(Object.entries(schemas))('%s fits its schema', (_name, { schema, example, io }) => {
    expect(io === 'input' ? schema.safeParse(example) : closedParse(schema, example)).toMatchObject({
      success: true,
    });
  });

  it.each(Object.entries({ ...eventMessages, ...serverMessages, ...clientMessages }))(
    '%s fits its schema',
    (_name, { schema, example }) => expect(closedParse(schema, example)).toMatchObject({ success: true }),
  );

  it('of the relay’s own events are what the client takes them for', () => {
    const shape = eventMessages.Event.schema;
    const read = (one: { example: unknown }) => shape.parse(one.example) as never;
    expect(isGap(read(eventMessages.GapEvent))).toBe(true);
    expect(isInterestEvent(read(eventMessages.InterestEvent))).toBe(true);
    expect(isEndpointEvent(read(eventMessages.EndpointEvent))).toBe(true);
  });
});

/** With no member that the schema does not name, at the top. */
function closedParse(schema: z.ZodType, value: unknown) {
  return (schema instanceof z.ZodObject ? z.strictObject(schema.shape) : schema).safeParse(value);
}

describe('both documents', () => {
  it('are the same text each time, with the version that is given', () => {
    expect(texts()).toEqual(texts());
    for (const document of [openApi, asyncApi]) expect(inside(document, 'info')['version']).toBe('9.8.7');
  });

  it('are in order', () => {
    for (const names of [
      Object.keys(inside(openApi, 'paths')),
      Object.keys(inside(openApi, 'components', 'schemas')),
      Object.keys(inside(asyncApi, 'components', 'schemas')),
    ]) {
      expect(names.length).toBeGreaterThan(5);
      expect(names).toEqual([...names].sort());
    }
  });

  it('hold nothing of this machine, no address and no secret', () => {
    for (const text of texts()) {
      for (const own of [root, homedir(), hostname(), tmpdir(), 'node_modules', '.ts"', '/src/']) {
        if (own.length > 3) expect(text, own).not.toContain(own);
      }
      expect(text).not.toMatch(/\b(?:127\.|10\.|192\.168\.|169\.254\.)\d|localhost|\[::/);
      for (const [address] of text.matchAll(/\bhttps?:\/\/[^\s"'`)\\]+/g)) {
        expect(address).toMatch(/^https:\/\/(?:overlay\.example|id\.twitch\.tv|www\.twitch\.tv)\//);
      }
      for (const [secret] of text.matchAll(/whsec_([\w+/=]+)/g)) {
        expect(Buffer.from(secret.slice('whsec_'.length), 'base64').toString()).toContain(
          'not a real secret',
        );
      }
      // What the relay gives out is 256 random bits; nothing here may look like them.
      for (const [word] of text.matchAll(/\b[\w-]{40,}\b/g)) expect(word).toMatch(/^[a-z0-9_.-]+$/i);
    }
  });

  it('say something about every parameter and every operation', () => {
    for (const [path, methods] of Object.entries(inside(openApi, 'paths'))) {
      for (const [method, operation] of Object.entries(methods as Json)) {
        const { summary, description, parameters = [] } = operation as Json & { parameters?: Json[] };
        expect([path, method, summary, description]).not.toContain(undefined);
        for (const { name, description: about } of parameters) {
          expect([path, name, about]).not.toContain(undefined);
        }
      }
    }
    for (const channel of Object.values(inside(asyncApi, 'channels'))) {
      const query = inside(channel, 'bindings', 'ws', 'query', 'properties');
      for (const [name, { description }] of Object.entries(query as Record<string, Json>)) {
        expect([name, description]).not.toContain(undefined);
      }
    }
  });
});

describe('/openapi.json', () => {
  it('names each operation once, and knows every code that a route refuses with', () => {
    expect(new Set(operations.map(({ id }) => id)).size).toBe(operations.length);
    const thrown = sources('src/http').flatMap((text) =>
      [
        ...text.matchAll(/new RelayError\(\s*'([a-z_]+)'|fieldRefusal\([^;]*?'([a-z]+(?:_[a-z]+)+)'[,)]/g),
      ].map((match) => match[1] ?? match[2] ?? ''),
    );
    expect(thrown.length).toBeGreaterThan(15);
    const fields = new Set([
      'bot_account_id',
      'endpoint_id',
      'webhook_url',
      'broadcaster_user_id',
      'to_cursor',
    ]);
    // Nobody is left to read the one: the caller has cut the connection. The other is for faults of the framework.
    for (const never of ['incomplete_body', 'http_error']) fields.add(never);
    expect(thrown.filter((code) => !(code in problems) && !fields.has(code))).toEqual([]);
  });
});

const sources = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.startsWith('openapi'))
    .map((name) => readFileSync(join(root, folder, name), 'utf8'));

describe('/asyncapi.json', () => {
  const channel = (name: string) => inside(asyncApi, 'channels', name);

  it('has every frame, every parameter and the path of the gateway', () => {
    const frames = serverFrame.options.map((option) => [...option.shape.type.values][0]);
    expect(Object.values(serverMessages).map(({ title }) => title)).toEqual(frames);
    expect(Object.keys(inside(channel('relayV1'), 'bindings', 'ws', 'query', 'properties'))).toEqual(
      Object.keys(connectQuery.shape),
    );
    expect(Object.keys(inside(channel('plain'), 'bindings', 'ws', 'query', 'properties'))).toEqual([
      'after',
      'types',
    ]);
    expect([socketPath, channel('plain')['address'], channel('relayV1')['address']]).toEqual(
      Array.from({ length: 3 }, () => gatewayPath),
    );
  });

  it('has every close code', () => {
    for (const name of ['plain', 'relayV1']) {
      const listed = channel(name)['x-close-codes'] as { code: number }[];
      expect(listed.map(({ code }) => code)).toEqual(Object.values(closeCodes).map(({ code }) => code));
    }
  });

  it('has every refusal of the handshake', () => {
    const gateway = ['handshake', 'connect-request', 'refusal'].map((name) =>
      readFileSync(join(root, 'src', 'delivery', 'gateway', `${name}.ts`), 'utf8'),
    );
    const visitor = readFileSync(join(root, 'src', 'domain', 'visitor.ts'), 'utf8');
    const found = [...gateway, visitor]
      .flatMap((text) => [...text.matchAll(/\bcode:((?: *[?:|]? *'[a-z_]+')+|[^,;]*\?[^,;]*)[,;]/g)])
      .flatMap((match) => [...(match[1] ?? '').matchAll(/'([a-z_]+)'/g)].map((one) => one[1] ?? ''))
      .concat([...gateway.join('').matchAll(/badRequest\('([a-z_]+)'/g)].map((match) => match[1] ?? ''))
      .filter((code) => code !== 'expired');
    expect([...new Set(handshakeRefusals.map(({ code }) => code))].sort()).toEqual(
      [...new Set(found)].sort(),
    );
  });

  it('has every type of the relay’s own events', () => {
    const window = { cause: 'restart', botAccountId: 'b', topicIds: [], from: 0, to: 1 } as const;
    const states = ['active', 'rejected', 'revoked', 'degraded'] as const;
    const interest = { id: 'i', serviceAccountId: 's', botAccountId: 'b' };
    const types = states.map((state) => interestEvent(interest, { state, reason: null, code: null }, 0).type);
    expect(types).toEqual([...interestTypes]);
    expect(gapEvent(window, 0).type).toBe('relay.gap');
    const shown = Object.values(eventMessages).map(({ example }) => (example as { type: string }).type);
    expect(shown.filter((type) => endpointTypes.includes(type as never))).toHaveLength(1);
    const source = readFileSync(join(root, 'src', 'domain', 'relay-event.ts'), 'utf8');
    for (const [, type] of source.matchAll(/'(relay\.[a-z_.]+)'/g)) expect(shown).toContain(type);
  });
});

describe('the linter', () => {
  it('objects to a warning', { timeout: 30_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'relay-lint-'));
    try {
      const path = join(folder, 'openapi.json');
      const text = JSON.stringify(openApiDocument({ version: '1.0.0' }));
      writeFileSync(path, text.replace('"operationId":"getHealth",', ''));
      const lint = spawnSync(process.execPath, ['--import', 'tsx', 'scripts/api-lint.ts', path], {
        cwd: root,
      });
      expect(lint.stdout.toString()).toMatch(/warning +operation-operationId/);
      expect(lint.status).toBe(1);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
