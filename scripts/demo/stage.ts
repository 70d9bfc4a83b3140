// Everything the demo runs on: the stand-in for Twitch, a real relay in a folder of its own, two bots and a service. What
// it opened is gone when it is disposed, the folder included.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAdminClient, createRelayClient } from '../../src/client/index.ts';
import type { InterestView, RelayClient } from '../../src/client/index.ts';
import { loadConfig } from '../../src/config/config.ts';
import { renderProblems } from '../../src/config/environment.ts';
import { startDaemon } from '../../src/daemon.ts';
import { startSimulator } from '../../test/simulator/index.ts';
import type { Simulator, SimUser } from '../../test/simulator/index.ts';
import type { Act, BotName } from './repertoire.ts';
import { acts, botScopes } from './repertoire.ts';

export interface StageOptions {
  readonly port: number;
  /** The simulated platform listens here; must reach the environment before the relay calls it. */
  readonly onPlatformPort: (port: number) => void;
  readonly onInterest: (id: string, type: string) => void;
  /** A line of the relay's own log. */
  readonly onLogLine: (line: string) => void;
}

/** An act, and the interest that listens for it. */
export interface Topic {
  readonly act: Act;
  readonly interest: InterestView;
}

export interface Stage extends AsyncDisposable {
  readonly sim: Simulator;
  readonly url: string;
  readonly bots: Readonly<Record<BotName, SimUser>>;
  readonly service: { readonly clientId: string; readonly clientSecret: string };
  readonly relay: RelayClient;
  /** Creates the interests and resolves when the platform has confirmed all of them. */
  subscribe(): Promise<readonly Topic[]>;
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
  const made = await admin.serviceAccounts.create('demo');
  const service = { clientId: made.client_id, clientSecret: made.client_secret };
  const relay = createRelayClient({ url: daemon.url, ...service });

  const ensure = async (act: Act): Promise<Topic> => {
    const wish = {
      bot_account_id: botIds.get(act.bot) ?? '',
      event_type: act.type,
      transport: 'websocket',
      ...(act.condition
        ? { condition: { ...act.condition(bots.streamer.id) } }
        : { broadcaster_user_id: bots.streamer.id }),
    } as const;
    const { id } = await relay.interests.create(wish);
    options.onInterest(id, act.type);
    return { act, interest: await relay.interests.ensure(wish) };
  };
  return {
    sim,
    url: daemon.url,
    bots,
    service,
    relay,
    subscribe: () => Promise.all(acts.map(ensure)),
  };
}

function demoConfig(sim: Simulator, given: { port: number; dataDir: string; adminKey: string }) {
  const loaded = loadConfig({
    ADMIN_API_KEY: given.adminKey,
    TOKEN_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    TWITCH_CLIENT_ID: sim.clientId,
    TWITCH_CLIENT_SECRET: sim.clientSecret,
    TWITCH_EVENTSUB_URL: sim.eventSubUrl,
    DATA_DIR: given.dataDir,
    HOST: '127.0.0.1',
    PORT: String(given.port),
    LOG_LEVEL: 'error',
  });
  if (!loaded.ok) throw new Error(renderProblems(loaded.problems));
  return loaded.config;
}
