// The stage of the fault programme: simulator, wires, database, the relay in its own process, and everybody who takes part.
// Owns all of them and takes them down again.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSimulator, type Simulator } from '../simulator/index.ts';
import { buildCrashChild } from '../support/crash-bundle.ts';
import { copyEmbedded } from '../support/test-database.ts';
import { until } from '../support/until.ts';
import { Api } from './api.ts';
import type {
  Crowd,
  DatabaseKind,
  Happening,
  OwnPostgres,
  Stage,
  StageBot,
  StageConsumers,
  Topic,
  Wire,
} from './contract.ts';
import { LoadCrowd } from './crowd.ts';
import { Happenings } from './happenings.ts';
import { freePort, type ScratchPostgres } from './own-postgres.ts';
import {
  addBots,
  addService,
  addTopics,
  populate,
  receiverCount,
  type Ground,
  type Population,
} from './population.ts';
import { Receivers } from './receivers.ts';
import { PassingInterest } from './passing-interest.ts';
import { JudgedConsumers } from './judged-consumers.ts';
import { RelayChild, type SpecialRelay } from './relay-process.ts';
import { everySocketOpen, settle, type Settled } from './settle.ts';
import { ProxyWire } from './wire.ts';
import type { FaultKind, Played } from './contract.ts';

const keepaliveSeconds = 1;
/** The relay's grace on top of it is in `relay-child.ts`. */
const noticedAfterMs = 2_000;
const defaultPerSecond = 220;
const closeWithinMs = 5_000;
const adminKey = 'faults-admin-key-0123456789';

export interface StageOptions {
  readonly database: DatabaseKind;
  readonly seed: number;
  /** The run's server; every stage has a fresh database on it. */
  readonly postgres: ScratchPostgres | null;
  readonly isLong: boolean;
  /** Happenings; 220 when left out. */
  readonly perSecond?: number;
  readonly special?: SpecialRelay;
}

export class FaultStage implements Stage, AsyncDisposable {
  readonly database: DatabaseKind;
  readonly random: () => number;
  readonly sim: Simulator;
  readonly relay: RelayChild;
  readonly twitchWire: Wire;
  readonly databaseWire: Wire | null;
  readonly postgres: OwnPostgres | null;
  readonly bots: readonly StageBot[];
  readonly topics: readonly Topic[];
  readonly receivers: Receivers;
  readonly crowd: Crowd;
  readonly consumers: StageConsumers;
  readonly isLong: boolean;
  readonly population: Population;
  readonly #api: Api;
  readonly #happenings: Happenings;
  readonly #passing: PassingInterest;
  readonly #closing: (() => Promise<unknown>)[];

  constructor(parts: StageParts) {
    this.database = parts.database;
    this.random = parts.random;
    this.sim = parts.sim;
    this.relay = parts.relay;
    this.twitchWire = parts.twitchWire;
    this.databaseWire = parts.databaseWire;
    this.postgres = parts.postgres;
    this.bots = parts.bots;
    this.topics = parts.topics;
    this.receivers = parts.receivers;
    this.crowd = parts.crowd;
    this.population = parts.population;
    this.consumers = new JudgedConsumers(parts.population, parts.api);
    this.isLong = parts.isLong;
    this.#api = parts.api;
    this.#happenings = parts.happenings;
    this.#passing = new PassingInterest(parts.api, parts.population.places, parts.random);
    this.#closing = parts.closing;
  }

  async session(bot: StageBot, but?: string): Promise<string> {
    const found = await this.until(
      () => this.sim.sessions().find((each) => each.open && each.userId === bot.userId && each.id !== but),
      `a session of ${bot.userId}`,
    );
    return found.id;
  }

  async healthy(timeoutMs = 15_000): Promise<void> {
    await this.until(
      async () => this.#isSubscribed() && (await this.#api.ready()),
      'the relay to be ready and every topic subscribed',
      timeoutMs,
    );
  }

  until<T>(
    probe: () => T | Promise<T>,
    what: string,
    timeoutMs = 10_000,
  ): Promise<Exclude<T, false | undefined | null>> {
    return until(probe, { what, timeoutMs });
  }

  lasts(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  happen(topic: Topic): Happening {
    return this.#happenings.happen(topic);
  }

  admin<T>(method: string, path: string, body?: unknown): Promise<T> {
    return this.#api.admin<T>(method, path, body);
  }

  /** Load on. */
  begin(): void {
    this.#happenings.start();
    this.#passing.begin();
  }

  settle(kind: FaultKind, played: Played): Promise<Settled> {
    const { population, topics } = this;
    return settle(
      {
        api: this.#api,
        happenings: this.#happenings,
        population,
        topics,
        passing: this.#passing,
        keepaliveMs: noticedAfterMs,
        healthy: (timeoutMs) => this.healthy(timeoutMs),
        heardSince: () => Math.max(0, ...this.#subscriptions().map(({ createdAtMs }) => createdAtMs)),
      },
      kind,
      played,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#happenings.pause();
    await closeAll(this.#closing);
  }

  #subscriptions() {
    return this.sim.subscriptions().filter((each) => each.status === 'enabled' && !each.zombie);
  }

  /** One enabled subscription for each topic, on a session that is open. */
  #isSubscribed(): boolean {
    const live = this.#subscriptions();
    return this.topics.every(
      ({ type, broadcasterId, bot }) =>
        live.filter(
          (each) =>
            each.type === type &&
            each.userId === bot.userId &&
            each.condition['broadcaster_user_id'] === broadcasterId,
        ).length === 1,
    );
  }
}

interface StageParts {
  readonly database: DatabaseKind;
  readonly random: () => number;
  readonly sim: Simulator;
  readonly relay: RelayChild;
  readonly twitchWire: Wire;
  readonly databaseWire: Wire | null;
  readonly postgres: OwnPostgres | null;
  readonly bots: readonly StageBot[];
  readonly topics: readonly Topic[];
  readonly receivers: Receivers;
  readonly crowd: Crowd;
  readonly isLong: boolean;
  readonly api: Api;
  readonly happenings: Happenings;
  readonly population: Population;
  /** Called last first. */
  readonly closing: (() => Promise<unknown>)[];
}

/** The last first, and none of them may keep the programme. */
async function closeAll(closing: (() => Promise<unknown>)[]): Promise<void> {
  for (let close = closing.pop(); close; close = closing.pop()) {
    let late: NodeJS.Timeout | undefined;
    const tooLate = new Promise((resolve) => {
      late = setTimeout(resolve, closeWithinMs);
    });
    await Promise.race([close().catch(() => undefined), tooLate]);
    clearTimeout(late);
  }
}

/** Everything runs and is healthy when it resolves; the load is not on yet. */
export async function openStage(options: StageOptions): Promise<FaultStage> {
  const closing: (() => Promise<unknown>)[] = [];
  try {
    return await build(options, closing);
  } catch (error) {
    await closeAll(closing);
    throw error;
  }
}

async function build(options: StageOptions, closing: (() => Promise<unknown>)[]) {
  const { database, seed, postgres, isLong, perSecond = defaultPerSecond } = options;
  const random = seeded(seed);
  const owned = <T extends AsyncDisposable>(thing: T): T => {
    closing.push(async () => thing[Symbol.asyncDispose]());
    return thing;
  };
  const dataDir = await mkdtemp(join(tmpdir(), 'relay-faults-'));
  closing.push(() => rm(dataDir, { recursive: true, force: true }));
  let simPort = 0;
  const twitchWire = owned(await ProxyWire.open(() => simPort));
  const sim = owned(
    await startSimulator({
      seed,
      keepaliveSeconds,
      advertisedSocketUrl: `ws://127.0.0.1:${twitchWire.port}`,
      rateLimitPerMinute: 100_000,
      chatJoinsPerWindow: 1_000,
      reconnectGraceMs: 3_000,
    }),
  );
  simPort = sim.port;
  const databaseWire = postgres ? owned(await ProxyWire.open(() => postgres.port)) : null;
  if (!postgres) await copyEmbedded(dataDir);
  const built = owned(await buildCrashChild('test/faults/relay-child.ts'));
  const relay = owned(
    new RelayChild(
      {
        ADMIN_API_KEY: adminKey,
        TOKEN_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
        TWITCH_CLIENT_ID: sim.clientId,
        TWITCH_CLIENT_SECRET: sim.clientSecret,
        TWITCH_EVENTSUB_URL: `ws://127.0.0.1:${twitchWire.port}/ws`,
        TWURPLE_MOCK_API_PORT: String(sim.port),
        WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8',
        SHUTDOWN_TIMEOUT_SECONDS: '3',
        LOG_LEVEL: 'info',
        DATA_DIR: dataDir,
        ...(postgres && databaseWire
          ? { DATABASE_URL: await freshDatabase(postgres, databaseWire.port) }
          : {}),
      },
      await freePort(),
      { ...options.special, entry: built.entry },
    ),
  );
  await relay.start();
  const api = new Api(relay.url, adminKey);
  const ground: Ground = { api, url: relay.url, sim, random };
  const bots = await addBots(ground);
  const auditorService = await addService(ground, 'auditor');
  const topics = await addTopics(ground, auditorService, bots);
  const happenings = new Happenings(sim, topics, { perSecond, random });
  const receivers = owned(await Receivers.open(receiverCount));
  const population = await populate({ ...ground, topics, happenings, receivers, auditorService });
  for (const each of population.disposables) owned(each);
  const crowd = owned(new LoadCrowd({ ground, topics, addService: () => addService(ground, 'crowd') }));
  const stage = new FaultStage({
    database,
    random,
    sim,
    relay,
    twitchWire,
    databaseWire,
    postgres,
    bots,
    topics,
    receivers,
    crowd,
    isLong,
    api,
    happenings,
    population,
    closing,
  });
  await stage.healthy(30_000);
  await everySocketOpen(population);
  return stage;
}

let databases = 0;

async function freshDatabase(postgres: ScratchPostgres, wirePort: number): Promise<string> {
  const name = `stage_${++databases}`;
  await postgres.query(`CREATE DATABASE ${name}`);
  return `postgres://postgres@127.0.0.1:${wirePort}/${name}`;
}

/** Uniform in [0, 1); mulberry32. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
