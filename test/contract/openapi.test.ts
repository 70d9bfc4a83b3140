// /openapi.json is what the server does: every route is described, every description is a route, every documented answer was
// given here by the server and fits its schema, and no answer was given that is not documented.
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/http/app.ts';
import { anywhere, refusalsOf } from '../../src/http/openapi/refusals.ts';
import { operations } from '../../src/http/openapi/operations/index.ts';
import type { Operation } from '../../src/http/openapi/operation.ts';
import { problems } from '../../src/http/openapi/problems.ts';
import { problem } from '../../src/protocol/rest.ts';
import type { HttpWorld } from '../support/http-world.ts';
import { sharedDatabase, type TestDatabase } from '../support/test-database.ts';
import type { Recipe } from './openapi-recipe.ts';
import { recipeNames, recipesOf } from './openapi-recipes.ts';
import { documented, faultsOf, Rig, resolve, type Json } from './openapi-rig.ts';

let place: TestDatabase;
let rig: Rig;
beforeAll(async () => {
  place = await sharedDatabase();
  rig = new Rig(await place.open());
  await rig.open();
});
afterAll(async () => {
  await rig[Symbol.asyncDispose]();
  await place[Symbol.asyncDispose]();
});

const given = new Map<string, Set<string>>();
const note = (codes: string, operation: string) =>
  given.set(codes, (given.get(codes) ?? new Set()).add(operation));

/** Asks, and holds what comes back against the document. */
async function check(operation: Operation, { status, code, give }: Recipe): Promise<void> {
  const response = await give(rig);
  const text = await response.text();
  const what = `${operation.id} ${status} ${code ?? ''}: ${text.slice(0, 300)}`;
  expect(response.status, what).toBe(status);
  const answer = documented(operation, status);
  expect(answer, what).toBeDefined();
  for (const [name, header] of Object.entries((answer?.['headers'] ?? {}) as Json)) {
    const { required } = resolve(header as Json);
    if (required) expect(response.headers.get(name), `${what}: ${name}`).not.toBeNull();
    if (response.headers.has(name)) note(`header ${name}`, operation.id);
  }
  const contents = (answer?.['content'] ?? {}) as Readonly<Record<string, Json>>;
  const type = response.headers.get('content-type')?.split(';')[0] ?? '';
  const content = contents[type] ?? contents['*/*'];
  if (Object.keys(contents).length === 0) expect(text, what).toBe('');
  else expect(content, `${what}: ${type}`).toBeDefined();
  if (type.endsWith('json')) {
    const body = JSON.parse(text) as unknown;
    if (Array.isArray(body)) expect(body.length, what).toBeGreaterThan(0);
    // The documents are described by specifications of their own.
    if (operation.tag !== 'Documentation' || status >= 400)
      expect(faultsOf(content?.['schema'] as Json, body), what).toBe('');
    if (type === 'application/problem+json') {
      const refused = problem.parse(body);
      expect(refused.code, what).toBe(code);
      note(refused.code, operation.id);
    }
  }
}

describe('the routes', () => {
  it('are the operations', () => {
    const app = createApp(rig.deps);
    const routes = app.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path.replaceAll(/:\w+/g, '{}')}`);
    const described = operations.map(
      ({ method, path }) => `${method.toUpperCase()} ${path.replaceAll(/\{\w+\}/g, '{}')}`,
    );
    expect([...new Set(routes)].sort()).toEqual([...described].sort());
  });

  it('have recipes, each of them', () => {
    expect([...recipeNames].sort()).toEqual(operations.map(({ id }) => id).sort());
  });
});

describe('every documented answer is given, and none that is not', () => {
  it.each(operations.map((operation) => [operation.id, operation] as const))('%s', async (_id, operation) => {
    const recipes = recipesOf(operation);
    for (const one of recipes) await check(operation, one);
    const statuses = [...Object.keys(operation.answers).map(Number), ...refusalsOf(operation).keys()];
    expect(new Set(recipes.map(({ status }) => status))).toEqual(new Set(statuses));
    const codes = recipes.flatMap(({ code, status }) => (code ? [`${status} ${code}`] : []));
    const named = [...refusalsOf(operation)]
      .filter(([status]) => !(status in operation.answers))
      .flatMap(([status, all]) => all.map((code) => `${status} ${code}`));
    expect([...new Set(codes)].sort()).toEqual(named.sort());
  });

  it('a header that may be there is there at times', () => {
    expect(given.get('header Link')?.size).toBe(
      operations.filter(({ answers }) => answers[200]?.headers?.includes('Link')).length,
    );
  });
});

describe('an answer that is not documented', () => {
  it('is found', async () => {
    const operation = operations.find(({ id }) => id === 'getHealth');
    const given = { status: 404, give: () => fetch(`${rig.world.url}/nowhere`) };
    await expect(check(operation as Operation, given)).rejects.toThrow('getHealth 404');
    const schema = documented(operation as Operation, 200)?.['content'] as Record<string, Json>;
    expect(faultsOf(schema['application/json']?.['schema'] as Json, { ok: true })).toBe('');
    expect(faultsOf(schema['application/json']?.['schema'] as Json, { ok: true, more: 1 })).toContain('more');
    expect(faultsOf(schema['application/json']?.['schema'] as Json, {})).toContain('ok');
  });
});

describe('any request', () => {
  const long = 'x'.repeat(9_000);
  const headers = Array.from({ length: 120 }, (_, n) => `h${n}: x`).join('\r\n');
  const cases: readonly [string, (rig: Rig) => Promise<string>][] = [
    ['400 malformed_path', () => raw(rig.world, 'GET /v1/bots/%zz HTTP/1.1')],
    ['400 malformed_request', () => raw(rig.world, 'GET')],
    ['403 address_not_allowed', () => raw(rig.shut, 'GET /v1/bots HTTP/1.1')],
    ['404 not_found', () => raw(rig.world, 'GET /nowhere HTTP/1.1')],
    ['405 method_not_allowed', () => raw(rig.world, 'DELETE /health HTTP/1.1')],
    ['408 request_timeout', () => raw(rig.throttling, 'GET /health HTTP/1.1\r\nhost: half', '')],
    ['414 url_too_long', () => raw(rig.throttling, `GET /health?${long} HTTP/1.1`)],
    ['417 unknown_expectation', () => raw(rig.world, 'GET /health HTTP/1.1\r\nexpect: a miracle')],
    ['431 headers_too_large', () => raw(rig.world, `GET /health HTTP/1.1\r\nbig: ${long}${long}`)],
    ['431 too_many_headers', () => raw(rig.throttling, `GET /health HTTP/1.1\r\n${headers}`)],
    [
      '500 internal_error',
      () => rig.while(new Error('a bug'), async () => answerOf(await rig.ask('listBots'))),
    ],
  ];

  it.each(cases)('may be answered with %s', async (expected, give) => {
    const answer = await give(rig);
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1]);
    const body = problem.parse(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)));
    expect(`${status} ${body.code}`).toBe(expected);
    expect(answer).toContain('content-type: application/problem+json');
    expect(faultsOf({ $ref: '#/components/schemas/Problem' }, body)).toBe('');
    note(body.code, 'any');
  });

  it('and every one of these is documented, and given', () => {
    const documented = Object.entries(anywhere).flatMap(([status, codes]) =>
      codes.map((code) => `${status} ${code}`),
    );
    expect(cases.map(([name]) => name).sort()).toEqual(documented.sort());
    expect(Object.keys(problems).filter((code) => !given.has(code))).toEqual([]);
  });
});

/** What node's client would not send: a head, ended as a head ends unless another end is given. */
function raw(
  world: HttpWorld,
  head: string,
  end = '\r\nhost: x\r\nconnection: close\r\n\r\n',
): Promise<string> {
  return new Promise((answered, failed) => {
    const socket = connect(Number(new URL(world.url).port), '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
    socket.once('error', failed).once('close', () => answered(answer));
    socket.write(head + end);
  });
}

/** A response as it would have been on the wire, as far as it matters here. */
async function answerOf(response: Response): Promise<string> {
  const type = response.headers.get('content-type') ?? '';
  return `HTTP/1.1 ${response.status}\r\ncontent-type: ${type}\r\n\r\n${await response.text()}`;
}
