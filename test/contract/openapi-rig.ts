// What the contract of /openapi.json is held against: real requests to a real server over a real database, where each part
// behind it can be made to fail; and the published schemas, closed, so that a member nobody described is found too.
import { z } from 'zod';
import { createDoor } from '../../src/door/index.ts';
import { cidr } from '../../src/domain/cidr.ts';
import { RelayError } from '../../src/domain/errors.ts';
import { openApiDocument } from '../../src/http/openapi/document.ts';
import type { Operation } from '../../src/http/openapi/operation.ts';
import { operations } from '../../src/http/openapi/operations/index.ts';
import type { HttpDeps } from '../../src/http/port.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import type { Database } from '../../src/store/database.ts';
import { adminKey, httpWorld, type HttpWorld, type ServiceCaller } from '../support/http-world.ts';

export type Json = Readonly<Record<string, unknown>>;

/** A part of a request; what is left out is as the operation's usual request has it. */
export interface Ask {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: string;
  /** Text is sent as it is. */
  readonly body?: unknown;
  readonly type?: string;
  readonly accept?: string;
  readonly as?: 'admin' | 'service' | 'disabled' | 'wrong' | 'nobody' | ServiceCaller;
  readonly to?: HttpWorld;
}

export const withdrawn = 'channel.withdrawn';

const withWithdrawn = (catalogue: HttpDeps['catalogue']): HttpDeps['catalogue'] => ({
  ...catalogue,
  newestLive: (type) => (type === withdrawn ? undefined : catalogue.newestLive(type)),
  versionsOf: (type) => catalogue.versionsOf(type === withdrawn ? 'channel.follow' : type),
});

const anHourMs = 3_600_000;
const once = { burst: 1, refillMs: anHourMs };
const strictDoor = createDoor({
  allowed: [],
  trusted: [],
  clock: systemClock,
  throttle: { fences: { secret: once, account: once, address: once }, maxNames: 10, maxKnown: 10 },
});

const shutDoor = createDoor({ allowed: [cidr('192.0.2.0/24')], trusted: [], clock: systemClock });
const hasty = { headersMs: 400, checkEveryMs: 50 };

export class Rig implements AsyncDisposable {
  readonly database: Database;
  declare world: HttpWorld;
  /** Asks receivers for an echo, and knows a type that Twitch has withdrawn altogether. */
  declare odd: HttpWorld;
  /** Its door is strict, and has been told a wrong secret already. */
  declare throttling: HttpWorld;
  /** Lets nobody in. */
  declare shut: HttpWorld;
  declare deps: HttpDeps;
  declare worker: ServiceCaller;
  declare disabled: ServiceCaller;
  botId = '';
  #fault: Error | null = null;
  #made = 0;

  constructor(database: Database) {
    this.database = database;
  }

  async open(): Promise<void> {
    const replace = (deps: HttpDeps): Partial<HttpDeps> => ({
      store: this.#faulty(deps.store),
      accounts: this.#faulty(deps.accounts),
      authorizations: this.#faulty(deps.authorizations),
      webhooks: this.#faulty(deps.webhooks),
      consumerActions: this.#faulty(deps.consumerActions),
      importBot: (body) => (this.#fault ? Promise.reject(this.#fault) : deps.importBot(body)),
      lookupUser: (id, login) =>
        login === 'away'
          ? Promise.reject(new RelayError('twitch_unreachable', 503, 'Twitch does not answer'))
          : deps.lookupUser(id, login),
    });
    this.world = await httpWorld(this.database, (deps) => {
      this.deps = { ...deps, ...replace(deps) };
      return this.deps;
    });
    this.odd = await httpWorld(this.database, ({ catalogue }) => ({
      webhookChallenge: true,
      catalogue: withWithdrawn(catalogue),
    }));
    this.throttling = await httpWorld(this.database, () => ({ door: strictDoor }), { timings: hasty });
    this.shut = await httpWorld(this.database, () => ({ door: shutDoor }));
    this.botId = await this.bot();
    await this.bot();
    this.worker = await this.world.service('worker');
    this.disabled = await this.world.service('disabled');
    await this.world.store.services.patch(this.disabled.clientId, { enabled: false });
    await this.ask('listBots', { to: this.throttling, as: 'wrong' });
  }

  /** Whatever the server asks of a part behind it fails so, while `run` lasts. */
  async while<T>(fault: Error, run: () => Promise<T>): Promise<T> {
    this.#fault = fault;
    try {
      return await run();
    } finally {
      this.#fault = null;
    }
  }

  name(): string {
    return `made-${++this.#made}`;
  }

  /** A bot of its own, with scopes for follows and chat; columns may be set as only the upstream sets them. */
  async bot(change: { enabled?: boolean; state?: string } = {}): Promise<string> {
    const name = this.name();
    const { bot } = await this.world.store.bots.upsert({
      name,
      twitchUserId: String(1_000 + this.#made),
      twitchLogin: name.replace('-', '_'),
      scopes: ['user:read:chat', 'moderator:read:followers'],
      accessToken: 'a-very-secret-token',
      refreshToken: null,
      expiresAt: null,
    });
    for (const [column, value] of Object.entries(change)) {
      await this.database.pool.query(`UPDATE bot_account SET ${column} = $2 WHERE id = $1`, [bot.id, value]);
    }
    return bot.id;
  }

  wish(more: object = {}): object {
    return {
      bot_account_id: this.botId,
      event_type: 'channel.follow',
      broadcaster_user_id: '12826',
      transport: 'websocket',
      ...more,
    };
  }

  /** A webhook wish for a URL of its own. */
  hook(more: object = {}): object {
    return this.wish({ transport: 'webhook', webhook_url: `https://receiver.test/${this.name()}`, ...more });
  }

  async made(body: object): Promise<{ id: string; endpoint_id: string; topic_id: string }> {
    const answer = await this.ask('createInterest', { body });
    return made.parse(await answer.json());
  }

  async endpoint(state?: 'disabled'): Promise<string> {
    const { endpoint_id: id } = await this.made(this.hook());
    if (state) await this.database.pool.query('UPDATE endpoint SET state = $2 WHERE id = $1', [id, state]);
    return id;
  }

  ask(id: string, given: Ask = {}): Promise<Response> {
    const operation = operationOf(id);
    const { params = {}, query = '', body, type = 'application/json', to = this.world } = given;
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => params[name] ?? '');
    const headers: Record<string, string> = this.#credentials(given.as ?? usual(operation));
    if (body !== undefined) headers['content-type'] = type;
    if (given.accept) headers['accept'] = given.accept;
    return fetch(`${to.url}${path}${query === '' ? '' : `?${query}`}`, {
      method: operation.method.toUpperCase(),
      headers,
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
  }

  #credentials(as: Exclude<Ask['as'], undefined>): Record<string, string> {
    if (as === 'nobody') return {};
    if (as === 'admin') return { 'x-admin-key': adminKey };
    if (as === 'wrong')
      return {
        'x-admin-key': 'wrong',
        'x-client-id': 'svc_00000000000000000000',
        'x-client-secret': 'wrong',
      };
    const caller = as === 'service' ? this.worker : as === 'disabled' ? this.disabled : as;
    return { 'x-client-id': caller.clientId, 'x-client-secret': caller.clientSecret };
  }

  /** The same part, whose calls reject while there is a fault. */
  #faulty<T extends object>(part: T): T {
    return new Proxy(part, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name);
        if (typeof member === 'function') {
          const call = member as (...given: unknown[]) => unknown;
          return (...given: unknown[]) =>
            this.#fault ? Promise.reject(this.#fault) : call.apply(target, given);
        }
        return typeof member === 'object' && member !== null ? this.#faulty(member) : member;
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const world of [this.world, this.odd, this.throttling, this.shut])
      await world[Symbol.asyncDispose]();
  }
}

const made = z.object({ id: z.string(), endpoint_id: z.string().catch(''), topic_id: z.string() });

const usual = ({ who }: Operation): 'admin' | 'service' | 'nobody' =>
  who === 'none' ? 'nobody' : who === 'admin' ? 'admin' : 'service';

export function operationOf(id: string): Operation {
  const found = operations.find((operation) => operation.id === id);
  if (!found) throw new Error(`no operation ${id}`);
  return found;
}

export const databaseAway = (): Error => Object.assign(new Error('connect'), { code: 'ECONNREFUSED' });

/** The document as a reader of it gets it. */
export const published = JSON.parse(JSON.stringify(openApiDocument({ version: '0.0.0-test' }))) as Json;

export function at(...path: string[]): Json {
  return path.reduce<Json>((place, name) => (place[name] ?? {}) as Json, published);
}

/** What a reference points at, or the thing itself. */
export function resolve(thing: Json): Json {
  const { $ref: ref } = thing;
  return typeof ref === 'string' ? at(...ref.slice(2).split('/')) : thing;
}

/** The documented answer: its headers and the schema of its content, if it is JSON. */
export function documented(operation: Operation, status: number): Json | undefined {
  const answer = at('paths', operation.path, operation.method, 'responses', String(status));
  return Object.keys(answer).length === 0 ? undefined : resolve(answer);
}

const definitions = Object.fromEntries(
  Object.entries(at('components', 'schemas')).map(([name, schema]) => [name, closed(schema as Json)]),
);

/** Says what is wrong with a value, by the published schema and with no member beside those it names; '' if nothing is. */
export function faultsOf(schema: Json, value: unknown): string {
  const parts = Array.isArray(schema['allOf']) ? (schema['allOf'] as Json[]) : [schema];
  return parts
    .map((part) => {
      const whole = {
        ...(part === schema || '$ref' in part ? closed(part) : rewritten(part)),
        $defs: definitions,
      };
      const result = z.fromJSONSchema(whole as never).safeParse(value);
      return result.success ? '' : z.prettifyError(result.error);
    })
    .join('');
}

/** Nothing but the named members; where none is named anything goes. */
function closed(schema: Json): Json {
  const { properties, additionalProperties } = schema;
  const open = rewritten(schema, closed);
  return properties && additionalProperties === undefined ? { ...open, additionalProperties: false } : open;
}

function rewritten(schema: Json, each: (schema: Json) => Json = rewritten): Json {
  const entries = Object.entries(schema).map(([name, member]): [string, unknown] => {
    if (name === '$ref') return [name, String(member).replace('#/components/schemas/', '#/$defs/')];
    if (name === 'properties') {
      const inner = Object.entries(member as Json).map(([key, value]) => [key, each(value as Json)]);
      return [name, Object.fromEntries(inner) as Json];
    }
    if (name === 'items' || (name === 'additionalProperties' && typeof member === 'object')) {
      return [name, each(member as Json)];
    }
    if (name === 'anyOf' || name === 'oneOf') return [name, (member as Json[]).map((one) => each(one))];
    return [name, member];
  });
  return Object.fromEntries(entries) as Json;
}
