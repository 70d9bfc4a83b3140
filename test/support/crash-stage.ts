// A relay that is made to die, with everybody it deals with: Twitch, a service on a socket, a receiver, an admin. It plays
// one death after another on one database and keeps what everybody saw; what that proves, the test says.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { RelayEvent } from '../../src/protocol/event.ts';
import type { CrashPoint } from '../../src/runtime/crash-points.ts';
import { startSimulator, type Simulator, type SimulatorOptions, type SimUser } from '../simulator/index.ts';
import { connectConsumer, type TestConsumer } from './consumer.ts';
import type { Arm, FromChild } from './crash-child.ts';
import { Receiver } from './receiver.ts';
import { testDatabase, type TestDatabase } from './test-database.ts';
import { until } from './until.ts';

const adminKey = 'process-test-admin-key';
const startMs = 60_000;

export interface Death {
  readonly signal: string | null;
  /** What the process said last. */
  readonly point: CrashPoint | undefined;
}

export interface Channel {
  readonly userId: string;
  readonly interestId: string;
  readonly topicId: string;
  /** Its interest was active from here on at the latest. Milliseconds since the epoch. */
  readonly owedFrom: number;
}

interface Life {
  readonly child: ChildProcess;
  readonly url: string;
  readonly ended: Promise<Death>;
  readonly armed: () => boolean;
}

interface InterestAnswer {
  readonly id: string;
  readonly topic_id: string;
  readonly state: string;
  readonly webhook_secret?: string;
  readonly endpoint_id?: string;
}

export class CrashStage implements AsyncDisposable {
  readonly sim: Simulator;
  readonly receiver: Receiver;
  /** One connection per life of the relay, all of one consumer. */
  readonly consumers: TestConsumer[] = [];
  readonly #place: TestDatabase;
  readonly #entry: string;
  readonly #botUser: SimUser;
  #botId = '';
  #service = { clientId: '', clientSecret: '' };
  #life: Life | undefined;

  private constructor(sim: Simulator, receiver: Receiver, place: TestDatabase, entry: string) {
    this.sim = sim;
    this.receiver = receiver;
    this.#place = place;
    this.#entry = entry;
    this.#botUser = sim.addUser({ login: 'killbot' });
  }

  /** With a bot, a service, its consumer, and no interest. */
  static async open(entry: string, twitch: SimulatorOptions): Promise<CrashStage> {
    const [sim, receiver, place] = [
      await startSimulator(twitch),
      await Receiver.start(),
      await testDatabase(),
    ];
    const stage = new CrashStage(sim, receiver, place, entry);
    await stage.start();
    const account = await stage.admin('POST', '/v1/admin/service-accounts?name=s');
    stage.#service = {
      clientId: String(account.body['client_id']),
      clientSecret: String(account.body['client_secret']),
    };
    await stage.authorize();
    await stage.connect();
    return stage;
  }

  get botId(): string {
    return this.#botId;
  }

  /** Starts the relay on what the last life left. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [this.#entry], {
      env: {
        PATH: process.env['PATH'] ?? '',
        ADMIN_API_KEY: adminKey,
        TOKEN_ENCRYPTION_KEY: 'ab'.repeat(32),
        TWITCH_CLIENT_ID: this.sim.clientId,
        TWITCH_CLIENT_SECRET: this.sim.clientSecret,
        TWITCH_EVENTSUB_URL: this.sim.eventSubUrl,
        TWURPLE_MOCK_API_PORT: String(this.sim.port),
        WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8',
        DATA_DIR: this.#place.dataDir,
        PORT: '0',
        LOG_LEVEL: 'warn',
        ...(this.#place.databaseUrl ? { DATABASE_URL: this.#place.databaseUrl } : {}),
      },
      cwd: this.#place.dataDir,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let output = '';
    let [url, point, armed] = ['', undefined as CrashPoint | undefined, false];
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.on('message', (message: FromChild) => {
      if ('url' in message) url = message.url;
      else if ('died' in message) point = message.died;
      else armed = true;
    });
    const ended = once(child, 'close').then(([, signal]) => ({ signal: signal as string | null, point }));
    this.#life = { child, url, ended, armed: () => armed };
    await until(() => url !== '' || child.exitCode !== null, { what: 'the relay', timeoutMs: startMs });
    if (url === '') throw new Error(`the relay did not start: ${output}`);
    this.#life = { child, url, ended, armed: () => armed };
  }

  /** From now on the process counts, and dies at the n-th time. Resolves when it has heard of it. */
  async arm(arm: Arm): Promise<void> {
    const { child, armed } = this.#alive();
    child.send(arm);
    await until(armed, { what: 'the relay to be armed' });
  }

  /** How the present life ends. */
  death(): Promise<Death> {
    const { ended } = this.#alive();
    let cancel = (): void => undefined;
    const late = new Promise<never>((_, reject) => {
      const timer = setTimeout(() => reject(new Error('the relay did not come to the point')), 60_000);
      cancel = () => clearTimeout(timer);
    });
    return Promise.race([ended, late]).finally(cancel);
  }

  /** The service's socket, acknowledging as it goes. */
  async connect(): Promise<TestConsumer> {
    const consumer = await connectConsumer(this.#alive().url, this.#service, 'relay.v1');
    this.consumers.push(consumer);
    return consumer;
  }

  /** Brings the bot's grant in, anew. Answers its access token. */
  async authorize(): Promise<string> {
    const grant = this.sim.grant({ userId: this.#botUser.id, scopes: ['moderator:read:followers'] });
    this.#botId = await this.#import('killbot', grant);
    return grant.accessToken;
  }

  /** Another bot, to be taken out. */
  async addBot(login: string): Promise<string> {
    const user = this.sim.addUser({ login });
    return this.#import(login, this.sim.grant({ userId: user.id, scopes: ['moderator:read:followers'] }));
  }

  addChannel(): string {
    const { id } = this.sim.addUser({ login: `channel${this.sim.users().length}` });
    // Costs nothing then.
    this.sim.grant({ userId: id, scopes: [] });
    return id;
  }

  /** An active interest in a channel's follows. Repeating it is what a service does whose call was cut off. */
  async wish(userId: string, { webhook = false, botId = this.#botId } = {}): Promise<Channel> {
    const wished = {
      bot_account_id: botId,
      event_type: 'channel.follow',
      broadcaster_user_id: userId,
      transport: webhook ? 'webhook' : 'websocket',
      ...(webhook ? { webhook_url: this.receiver.url() } : {}),
    };
    const { status, body } = await this.service<InterestAnswer>('POST', '/v1/interests?wait=10', wished);
    if (status > 201 || body.state !== 'active')
      throw new Error(`interest: ${status} ${JSON.stringify(body)}`);
    if (body.webhook_secret) this.receiver.secrets.push(body.webhook_secret);
    if (body.endpoint_id && body.webhook_secret)
      await this.service('PATCH', `/v1/endpoints/${body.endpoint_id}`, { retry_profile: 'realtime' });
    return {
      userId,
      interestId: body.id,
      topicId: body.topic_id,
      owedFrom: Date.now(),
    };
  }

  follow(userId: string): void {
    this.sim.send('channel.follow', { broadcaster_user_id: userId });
  }

  /** The log as the service may read it. */
  async log(): Promise<RelayEvent[]> {
    const events: RelayEvent[] = [];
    for (let after = ''; ;) {
      const path = `/v1/events?limit=1000${after}`;
      const { body } = await this.service<{ events: RelayEvent[]; next: string }>('GET', path);
      // A page may be short in the middle of the log; only the end of it is empty.
      if (body.events.length === 0) return events;
      events.push(...body.events);
      after = `&after=${body.next}`;
    }
  }

  /** What Twitch would deliver, by channel; of the bot. */
  subscribed(): string[] {
    return this.sim
      .subscriptions()
      .filter((each) => each.userId === this.#botUser.id && each.status === 'enabled' && !each.zombie)
      .map((each) => each.condition['broadcaster_user_id'] ?? '')
      .toSorted();
  }

  /** Channels for which a subscription of the bot was created, since the request of this number. */
  created(from: number): string[] {
    return this.sim.requests
      .slice(from)
      .filter(
        (each) => each.operation === 'create' && each.status === 202 && each.userId === this.#botUser.id,
      )
      .map(
        ({ body }) => (body as { condition: Record<string, string> }).condition['broadcaster_user_id'] ?? '',
      )
      .toSorted();
  }

  admin(method: string, path: string, body?: object) {
    return this.#call<Record<string, unknown>>(method, path, { 'X-Admin-Key': adminKey }, body);
  }

  service<Body>(method: string, path: string, body?: object) {
    const { clientId, clientSecret } = this.#service;
    return this.#call<Body>(method, path, { 'X-Client-Id': clientId, 'X-Client-Secret': clientSecret }, body);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const consumer of this.consumers) await consumer[Symbol.asyncDispose]();
    this.#life?.child.kill('SIGKILL');
    await this.#life?.ended;
    await this.receiver[Symbol.asyncDispose]();
    await this.sim.close();
    await this.#place[Symbol.asyncDispose]();
  }

  async #import(name: string, grant: { accessToken: string; refreshToken: string }): Promise<string> {
    const { accessToken: access_token, refreshToken: refresh_token } = grant;
    const { status, body } = await this.admin('POST', '/v1/admin/bots/import', {
      name,
      access_token,
      refresh_token,
    });
    if (status !== 200) throw new Error(`import: ${status} ${JSON.stringify(body)}`);
    return String(body['id']);
  }

  async #call<Body>(method: string, path: string, headers: Record<string, string>, body?: object) {
    const response = await fetch(new URL(path, this.#alive().url), {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    return { status: response.status, body: (await response.json()) as Body };
  }

  #alive(): Life {
    if (!this.#life) throw new Error('the relay was never started');
    return this.#life;
  }
}
