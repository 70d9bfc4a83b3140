// Everything the demo runs on: the stand-in for Twitch, a real relay in a folder of its own, two bots and two
// services. What it opened is gone when it is disposed, the folder included.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAdminClient, createRelayClient } from '../../src/client/index.ts';
import type { RelayClient } from '../../src/client/index.ts';
import { loadConfig } from '../../src/config/config.ts';
import { renderProblems } from '../../src/config/environment.ts';
import { startDaemon } from '../../src/daemon.ts';
import { startSimulator } from '../../test/simulator/index.ts';
import type { Simulator, SimUser } from '../../test/simulator/index.ts';
import { bringTo, listen } from './interests.ts';
import type { OnInterest, Topic, WebhookTarget } from './interests.ts';
import type { Act, BotName } from './repertoire.ts';
import { acts, botScopes } from './repertoire.ts';

export interface StageOptions {
  readonly port: number;
  /** The simulated platform listens here; must reach the environment before the relay calls it. */
  readonly onPlatformPort: (port: number) => void;
  readonly onInterest: OnInterest;
  /** A line of the relay's own log. */
  readonly onLogLine: (line: string) => void;
}

/** A service account, and the relay as it sees it. */
export interface DemoService {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly relay: RelayClient;
}

export interface Stage extends AsyncDisposable {
  readonly sim: Simulator;
  readonly url: string;
  readonly bots: Readonly<Record<BotName, SimUser>>;
  /** Whose consumers are on sockets. */
  readonly sockets: DemoService;
  /** Whose events go to the receiver. */
  readonly webhooks: DemoService;
  /** Creates the interests of both services and resolves when the platform has confirmed all of them. */
  subscribe(target: WebhookTarget): Promise<readonly Topic[]>;
}

/** Rejects with nothing left open. */
export async function openStage(options: StageOptions): Promise<Stage> {
  const closing: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (let next = closing.pop(); next; next = closing.pop()) await next();
  };
  try {
    return { ...(await build(options, closing)), [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What it opens, it adds to `closing`, to be called last first. */
async function build(
  options: StageOptions,
  closing: (() => Promise<unknown>)[],
): Promise<Omit<Stage, typeof Symbol.asyncDispose>> {
  const sim = await startSimulator();
  closing.push(() => sim.close());
  options.onPlatformPort(sim.port);
  const dataDir = await mkdtemp(join(tmpdir(), 'eventsub-relay-demo-'));
  closing.push(() => rm(dataDir, { recursive: true, force: true }));
  const adminKey = randomBytes(32).toString('base64url');
  const daemon = await startDaemon(demoConfig(sim, { port: options.port, dataDir, adminKey }), {
    logTo: { write: options.onLogLine },
    logFormat: 'human',
  });
  closing.push(() => daemon.stop());

  const admin = createAdminClient({ url: daemon.url, adminKey });
  const bots = {
    relaybot: sim.addUser({ login: 'relaybot', displayName: 'RelayBot' }),
    streamer: sim.addUser({ login: 'streamer', displayName: 'Streamer' }),
  };
  const botIds = new Map<BotName, string>();
  for (const name of ['relaybot', 'streamer'] as const) {
    const token = sim.grant({ userId: bots[name].id, scopes: botScopes[name] });
    const bot = await admin.importBot({
      name,
      access_token: token.accessToken,
      refresh_token: token.refreshToken,
    });
    botIds.set(name, bot.id);
  }
  const service = async (name: string): Promise<DemoService> => {
    const { client_id: clientId, client_secret: clientSecret } = await admin.serviceAccounts.create(name);
    const relay = createRelayClient({ url: daemon.url, clientId, clientSecret });
    return { clientId, clientSecret, relay };
  };
  const sockets = await service('demo');
  const webhooks = await service('demo-webhooks');
  const { onInterest } = options;
  const wishOf = (act: Act) => ({
    bot_account_id: botIds.get(act.bot) ?? '',
    event_type: act.type,
    ...(act.condition
      ? { condition: { ...act.condition(bots.streamer.id) } }
      : { broadcaster_user_id: bots.streamer.id }),
  });
  return {
    sim,
    url: daemon.url,
    bots,
    sockets,
    webhooks,
    async subscribe(target) {
      const topics = await Promise.all(
        acts.map((act) => listen(sockets.relay, { act, wish: wishOf(act), onInterest })),
      );
      await bringTo(target, webhooks.relay, { wishes: acts.map(wishOf), onInterest });
      return topics;
    },
  };
}

function demoConfig(sim: Simulator, given: { port: number; dataDir: string; adminKey: string }) {
  const loaded = loadConfig({
    ADMIN_API_KEY: given.adminKey,
    TOKEN_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    TWITCH_CLIENT_ID: sim.clientId,
    TWITCH_CLIENT_SECRET: sim.clientSecret,
    TWITCH_EVENTSUB_URL: sim.eventSubUrl,
    TWURPLE_MOCK_API_PORT: String(sim.port),
    DATA_DIR: given.dataDir,
    HOST: '127.0.0.1',
    PORT: String(given.port),
    WEBHOOK_ALLOWED_CIDRS: '127.0.0.0/8',
    LOG_LEVEL: 'error',
  });
  if (!loaded.ok) throw new Error(renderProblems(loaded.problems));
  return loaded.config;
}
