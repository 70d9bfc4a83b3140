// The durable side of authorizations in memory, with the promises of its port: for tests of what is built on it. Survives
// what is built on it, as a database does.
import { randomUUID } from 'node:crypto';
import { RelayError } from '../../src/domain/errors.ts';
import type {
  Authorization,
  AuthorizationStore,
  GrantedBot,
  GrantStore,
} from '../../src/upstream/authorization-port.ts';

type Row = Authorization & {
  readonly stateToken: string | null;
  readonly deviceCode: string | null;
  readonly used: boolean;
};

interface KeptBot extends GrantedBot {
  readonly accessToken: string;
  readonly refreshToken: string | null;
}

export class AuthorizationMemory {
  readonly rows = new Map<string, Row>();
  readonly bots = new Map<string, KeptBot>();
  readonly allowed: [serviceAccountId: string, botId: string][] = [];
  /** The next so many writes of an end or a grant are refused as by a database that is away. */
  failures = 0;
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  readonly store: AuthorizationStore = {
    create: (made) => {
      const row: Row = {
        ...made,
        id: randomUUID(),
        state: 'pending',
        code: null,
        reason: null,
        grantedBotId: null,
        createdAt: this.#now(),
        used: false,
      };
      this.rows.set(row.id, row);
      return Promise.resolve(row);
    },
    get: (id) => Promise.resolve(this.rows.get(id)),
    claim: (stateToken) => {
      const row = [...this.rows.values()].find((each) => each.stateToken === stateToken);
      if (!row) return Promise.resolve({ ok: false, why: 'unknown' });
      if (row.used) return Promise.resolve({ ok: false, why: 'used' });
      if (row.expiresAt <= this.#now()) return Promise.resolve({ ok: false, why: 'expired' });
      this.rows.set(row.id, { ...row, used: true });
      return Promise.resolve({ ok: true, authorization: row });
    },
    end: async (id, outcome) => {
      await this.#mayFail();
      const row = this.rows.get(id);
      if (row?.state !== 'pending') return false;
      this.rows.set(id, { ...row, ...outcome });
      return true;
    },
    pendingDevices: async () => {
      await this.#mayFail();
      return [...this.rows.values()].flatMap((row) =>
        row.deviceCode !== null && row.state === 'pending' && row.expiresAt > this.#now()
          ? [{ ...row, deviceCode: row.deviceCode }]
          : [],
      );
    },
    removeBefore: (at) => {
      const old = [...this.rows.values()].filter((row) => row.expiresAt < at);
      for (const { id } of old) this.rows.delete(id);
      return Promise.resolve(old.length);
    },
  };

  readonly grants: GrantStore = {
    get: (botId) => Promise.resolve(this.bots.get(botId)),
    byTwitchUser: (userId) => Promise.resolve(this.#ofUser(userId)),
    save: async (grant) => {
      await this.#mayFail();
      const known = this.#ofUser(grant.twitchUserId);
      const name = grant.name ?? known?.name ?? grant.twitchLogin;
      if ([...this.bots.values()].some((each) => each.name === name && each.id !== known?.id))
        throw new RelayError('name_taken', 409, `Another bot is already called ${name}.`);
      const bot: KeptBot = { ...grant, id: known?.id ?? randomUUID(), name, state: 'ok' };
      this.bots.set(bot.id, bot);
      return { bot, created: !known };
    },
    allow: (serviceAccountId, botId) => Promise.resolve(void this.allowed.push([serviceAccountId, botId])),
  };

  #ofUser(userId: string): KeptBot | undefined {
    return [...this.bots.values()].find((each) => each.twitchUserId === userId);
  }

  #mayFail(): Promise<void> {
    if (this.failures <= 0) return Promise.resolve();
    this.failures--;
    return Promise.reject(new Error('the database is away'));
  }
}
