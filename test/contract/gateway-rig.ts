// A gateway on a real server with real sockets, over an in-memory log and store that keep the ports' promises. Holds no
// expectations; the tests do.
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { attachGateway } from '../../src/delivery/gateway/index.ts';
import type { GatewayHandle, GatewayLimits } from '../../src/delivery/gateway/index.ts';
import type {
  Authentication,
  ConsumerPosition,
  GatewayChange,
  GatewayService,
  GatewayStore,
} from '../../src/delivery/gateway/ports.ts';
import { textFrame } from '../../src/runtime/text-frame.ts';
import type {
  Batch,
  EventFeed,
  FrameEncoding,
  OutRecord,
  ReadResult,
  Selection,
} from '../../src/delivery/port.ts';
import { encodeCursor } from '../../src/domain/cursor.ts';
import type { EventDraft, LogRecord } from '../../src/domain/event.ts';
import type { Filter } from '../../src/domain/filter.ts';
import { matches } from '../../src/domain/filter.ts';
import { openDoor, type Door } from '../../src/domain/visitor.ts';
import { ShiftClock } from '../support/shift-clock.ts';

export const epoch = 'testlog';
export const service: GatewayService = {
  id: 'service-1',
  clientId: 'svc_1',
  enabled: true,
  previousValidUntil: null,
};
export const secret = 'secret-1';
export const cursorOf = (seq: number): string => encodeCursor(epoch, seq);

function outRecord(record: LogRecord): OutRecord {
  const cursor = cursorOf(record.seq);
  const json = () =>
    `{"id":"${record.id}","cursor":"${cursor}","provider":"${record.provider}","type":"${record.type}",${record.body}}`;
  const frame = (encoding: FrameEncoding) =>
    textFrame(
      encoding === 'plain' ? json() : `{"type":"event","cursor":"${cursor}","attempt":1,"event":${json()}}`,
    );
  return { ...record, cursor, json, frame };
}

/** An in-memory log. `floor` and `failReads` are knobs; everything else behaves as the port says. */
export class MemoryFeed implements EventFeed {
  readonly epoch = epoch;
  readonly records: OutRecord[] = [];
  readonly #watchers = new Map<string, Set<() => void>>();
  readonly #filters = new Map<string, Filter>();
  topics = new Map<string, number>([['topic-1', 0]]);
  floor = 0;
  retentionMs = 24 * 3_600_000;
  failReads = 0;
  reads = 0;
  slowReads = false;

  head(): number {
    return this.records.at(-1)?.seq ?? 0;
  }

  append(count: number, over: Partial<LogRecord> = {}): OutRecord[] {
    const added: OutRecord[] = [];
    for (let at = 0; at < count; at++) {
      const seq = this.head() + 1;
      const record = outRecord({
        id: `message-${seq}`,
        provider: 'twitch',
        type: 'channel.follow',
        version: '2',
        eventTimestamp: '2026-11-21T03:00:00.123456789Z',
        receivedAt: Date.now(),
        botAccountId: 'bot-1',
        audience: { kind: 'topic', topicId: 'topic-1' },
        body: `"subscription":{"id":"s"},"event":{"n":${seq}}`,
        ...over,
        seq,
      });
      this.records.push(record);
      added.push(record);
    }
    for (const wakes of this.#watchers.values()) for (const wake of wakes) wake();
    return added;
  }

  floorFor(): number {
    return this.floor;
  }

  oldestFor(): number {
    return this.floor;
  }

  retentionMsOf(): number {
    return this.retentionMs;
  }

  filter(serviceAccountId: string, types: readonly string[] | null = null): Filter {
    const key = `${serviceAccountId}|${types?.join(',') ?? ''}|${[...this.topics.keys()].join(',')}`;
    const known = this.#filters.get(key);
    if (known) return known;
    const filter = {
      key,
      serviceAccountId,
      topics: new Map(this.topics),
      types: types ? new Set(types) : null,
    };
    this.#filters.set(key, filter);
    return filter;
  }

  read(after: number, filter: Filter, limit: number): ReadResult | Promise<ReadResult> {
    return this.batch(after, filter, limit, 'relay.v1');
  }

  async at(seqs: readonly number[]): Promise<OutRecord[]> {
    return this.records.filter((record) => seqs.includes(record.seq));
  }

  async select(filter: Filter, { after, through }: Selection, limit: number): Promise<number[]> {
    return this.records
      .filter((record) => record.seq > after && record.seq <= through && matches(filter, record))
      .map(({ seq }) => seq)
      .slice(0, limit);
  }

  batch(after: number, filter: Filter, limit: number, encoding: FrameEncoding): Batch | Promise<Batch> {
    this.reads++;
    if (this.failReads > 0) {
      this.failReads--;
      return Promise.reject(new Error('database away'));
    }
    const records: OutRecord[] = [];
    let through = this.head();
    for (let at = after; at < this.records.length; at++) {
      const record = this.records[at];
      if (!record || !matches(filter, record)) continue;
      records.push(record);
      if (records.length < limit) continue;
      through = record.seq;
      break;
    }
    const bytes = Buffer.concat(records.map((record) => record.frame(encoding)));
    const seqs = records.map(({ seq }) => seq);
    const batch = { records, through: Math.max(after, through), bytes, seqs };
    return this.slowReads ? new Promise<Batch>((resolve) => setImmediate(() => resolve(batch))) : batch;
  }

  watch(serviceAccountId: string, wake: () => void): () => void {
    const wakes = this.#watchers.get(serviceAccountId) ?? new Set();
    this.#watchers.set(serviceAccountId, wakes.add(wake));
    return () => wakes.delete(wake);
  }

  get watching(): number {
    return [...this.#watchers.values()].reduce((sum, wakes) => sum + wakes.size, 0);
  }
}

interface Row extends ConsumerPosition {
  updatedAt: number;
}

export class MemoryStore implements GatewayStore {
  readonly rows = new Map<string, Row>();
  readonly saves: ConsumerPosition[][] = [];
  readonly secrets = new Map<string, string>([[secret, 'svc_1']]);
  readonly tokens = new Map<string, GatewayService>();
  readonly #listeners = new Set<(change: GatewayChange) => void>();
  enabled = true;
  previousValidUntil: number | null = null;
  away = false;
  touched = 0;

  readonly services = {
    authenticate: (clientId: string, clientSecret: string): Promise<Authentication> => {
      if (this.away) return Promise.reject(new Error('database away'));
      if (this.secrets.get(clientSecret) !== clientId)
        return Promise.resolve({ ok: false, reason: 'unknown' });
      if (!this.enabled) return Promise.resolve({ ok: false, reason: 'disabled' });
      return Promise.resolve({
        ok: true,
        service: { ...service, previousValidUntil: this.previousValidUntil },
      });
    },
    touch: () => {
      this.touched++;
    },
  };

  readonly wsTokens = {
    redeem: (token: string) => {
      const found = this.tokens.get(token);
      this.tokens.delete(token);
      return Promise.resolve(found && { ...found, enabled: this.enabled });
    },
  };

  readonly consumers = {
    get: (_serviceAccountId: string, name: string) => Promise.resolve(this.rows.get(name)),
    open: (serviceAccountId: string, name: string, { startSeq }: { startSeq: number }) => {
      const known = this.rows.get(name);
      const row: Row = known ?? {
        serviceAccountId,
        name,
        ackedSeq: startSeq,
        sentSeq: startSeq,
        attempt: 1,
        open: false,
        updatedAt: Date.now(),
      };
      this.rows.set(name, { ...row, open: true });
      return Promise.resolve({
        consumer: { ...row, open: true },
        created: !known,
        wasOpen: known?.open ?? false,
      });
    },
    save: (positions: readonly ConsumerPosition[]) => {
      if (this.away) return Promise.reject(new Error('database away'));
      this.saves.push([...positions]);
      for (const position of positions) {
        const row = this.rows.get(position.name);
        const ackedSeq = Math.max(row?.ackedSeq ?? 0, position.ackedSeq);
        if (row) this.rows.set(position.name, { ...row, ...position, ackedSeq, updatedAt: Date.now() });
      }
      return Promise.resolve();
    },
    reset: (_serviceAccountId: string, name: string, seq: number) => {
      const row = this.rows.get(name);
      if (row) this.rows.set(name, { ...row, ackedSeq: seq, sentSeq: seq, attempt: 1 });
      return Promise.resolve();
    },
  };

  onChange(listener: (change: GatewayChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(change: GatewayChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  get listening(): number {
    return this.#listeners.size;
  }
}

export interface Rig extends AsyncDisposable {
  readonly feed: MemoryFeed;
  readonly store: MemoryStore;
  readonly clock: ShiftClock;
  readonly gateway: GatewayHandle;
  readonly server: Server;
  readonly declared: EventDraft[];
  readonly failures: unknown[];
  readonly port: number;
}

/** Ends with a proof that nothing of the gateway is left: no timer, no watch, no listener. */
export async function startRig(
  limits: Partial<GatewayLimits> = {},
  random = () => 0.5,
  doorOf: (clock: ShiftClock) => Door = () => openDoor,
): Promise<Rig> {
  const feed = new MemoryFeed();
  const store = new MemoryStore();
  const clock = new ShiftClock();
  const declared: EventDraft[] = [];
  const failures: unknown[] = [];
  const server = createServer((_req, res) => res.end('plain http'));
  const declare = (draft: EventDraft) => {
    declared.push(draft);
    feed.append(1, draft);
    return Promise.resolve();
  };
  const observer = { failed: (_what: string, error: unknown) => void failures.push(error) };
  const door = doorOf(clock);
  const deps = { feed, store, clock, declare, random, observer, limits, door };
  const gateway = attachGateway({ server, deps });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    feed,
    store,
    clock,
    gateway,
    server,
    declared,
    failures,
    port,
    async [Symbol.asyncDispose]() {
      await gateway.stop();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      const left = { timers: clock.pending, watches: feed.watching, listeners: store.listening };
      if (left.timers + left.watches + left.listeners > 0) {
        throw new Error(`the gateway left something behind: ${JSON.stringify(left)}`);
      }
    },
  };
}
