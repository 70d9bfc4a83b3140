// Owns the proof that the simulator speaks Twitch's protocol: a client written by others, knowing nothing of it, must
// be content. It must never reach into the simulator's insides.
import { ApiClient } from '@twurple/api';
import { StaticAuthProvider, RefreshingAuthProvider, getTokenInfo } from '@twurple/auth';
import { EventSubWsListener } from '@twurple/eventsub-ws';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startSimulator } from '../simulator/index.ts';
import type { Simulator } from '../simulator/index.ts';

const BOT = '1001';
const CHANNEL = '2002';
const SCOPES = ['user:read:chat', 'moderator:read:followers', 'channel:moderate', 'bits:read'];

let sim: Simulator;
let portBefore: string | undefined;

beforeEach(async () => {
  sim = await startSimulator({ seed: 7 });
  portBefore = process.env.TWURPLE_MOCK_API_PORT;
  process.env.TWURPLE_MOCK_API_PORT = String(sim.port);
  sim.addUser({ id: BOT, login: 'relaybot', displayName: 'RelayBot' });
  sim.addUser({ id: CHANNEL, login: 'streamer', displayName: 'Streamer' });
});

afterEach(async () => {
  if (portBefore === undefined) delete process.env.TWURPLE_MOCK_API_PORT;
  else process.env.TWURPLE_MOCK_API_PORT = portBefore;
  await sim.close();
});

function apiClient(): ApiClient {
  const { accessToken } = sim.grant({ userId: BOT, scopes: SCOPES });
  return new ApiClient({ authProvider: new StaticAuthProvider(sim.clientId, accessToken, SCOPES) });
}

interface Seen {
  chat: { text: string; color: string | null; badges: Record<string, string>; chatter: string }[];
  follows: { name: string; at: Date }[];
  online: { type: string; broadcaster: string }[];
  revoked: string[];
  failures: string[];
}

/** The foreign listener, subscribed to three types, once Twitch's stand-in has all three. */
async function subscribedListener(): Promise<{ seen: Seen; listener: EventSubWsListener }> {
  const seen: Seen = { chat: [], follows: [], online: [], revoked: [], failures: [] };
  const listener = new EventSubWsListener({ apiClient: apiClient() });
  listener.onSubscriptionCreateFailure((subscription, error) => {
    seen.failures.push(`${subscription.id}: ${error.message}`);
  });
  listener.onRevoke((_subscription, status) => seen.revoked.push(status));
  listener.onChannelChatMessage(CHANNEL, BOT, (event) => {
    seen.chat.push({
      text: event.messageText,
      color: event.color,
      badges: event.badges,
      chatter: event.chatterName,
    });
  });
  listener.onChannelFollow(CHANNEL, BOT, (event) => {
    seen.follows.push({ name: event.userDisplayName, at: event.followDate });
  });
  // This client puts stream.online on the socket of the broadcaster, so it is the bot's own stream.
  listener.onStreamOnline(BOT, (event) => {
    seen.online.push({ type: event.type, broadcaster: event.broadcasterName });
  });
  listener.start();
  await sim.waitFor(() => sim.subscriptions().length === 3 || seen.failures.length > 0, {
    what: 'three subscriptions',
  });
  // The listener forgets an event that comes before it has read its POST's answer.
  await sim.waitFor(
    () =>
      sim.requests.filter((request) => request.operation === 'create' && request.status === 202).length === 3,
    { what: 'three answers' },
  );
  expect(seen.failures).toEqual([]);
  return { seen, listener };
}

/** Sends until the listener reacts: it may still be reading the answer that names the subscription. */
async function chatUntilHeard(seen: Seen, text: string): Promise<void> {
  const heard = (): boolean => seen.chat.some((message) => message.text === text);
  await sim.waitFor(
    () => {
      if (!heard()) sim.send('channel.chat.message', {}, { message: { text, fragments: [] } });
      return heard();
    },
    { what: `chat message ${text}` },
  );
}

describe('an independent client', () => {
  it('connects, subscribes and receives what was sent', async () => {
    const { seen, listener } = await subscribedListener();
    await chatUntilHeard(seen, 'first');
    const [chat] = sim.send('channel.chat.message', { broadcaster_user_id: CHANNEL });
    sim.send('channel.follow', {}, { user_name: 'Fan', followed_at: '2026-11-21T03:00:00.123456789Z' });
    sim.send('stream.online', { broadcaster_user_id: BOT });
    await sim.waitFor(() => seen.online.length > 0 && seen.follows.length > 0, { what: 'three events' });
    const sentText: unknown = JSON.parse(chat?.text ?? '{}');
    expect(sentText).toHaveProperty('payload.event.message.text', seen.chat.at(-1)?.text);
    expect(seen.chat.at(-1)?.text).toMatch(/\S/u);
    expect(seen.chat.at(-1)).toMatchObject({ color: '#00FF7F', badges: { subscriber: '12' } });
    expect(seen.follows).toEqual([{ name: 'Fan', at: new Date('2026-11-21T03:00:00.123Z') }]);
    expect(seen.online).toEqual([{ type: 'live', broadcaster: 'relaybot' }]);
    expect(sim.sessions()).toMatchObject([{ userId: BOT, open: true, subscriptionCount: 3 }]);
    listener.stop();
    await sim.waitFor(() => sim.sessions().every((session) => !session.open), { what: 'the goodbye' });
    expect(sim.subscriptions().map((item) => item.status)).toEqual(
      Array.from({ length: 3 }, () => 'websocket_disconnected'),
    );
  });

  it.each([{ keepSessionId: false }, { keepSessionId: true }])(
    'follows a server-requested reconnect without subscribing again ($keepSessionId)',
    async (options) => {
      const { seen, listener } = await subscribedListener();
      await chatUntilHeard(seen, 'before');
      const [before] = sim.sessions();
      const idsBefore = sim.subscriptions().map((item) => item.id);
      sim.requestReconnect(before?.id ?? '', options);
      await sim.waitFor(
        () => sim.connections[1]?.welcomedAt !== null && sim.connections[0]?.closedAt !== null,
        {
          what: 'the hand-over',
        },
      );
      await chatUntilHeard(seen, 'after');
      const onNew = sim.connections.filter((connection) => connection.kind === 'reconnect');
      expect(onNew).toHaveLength(1);
      expect(onNew[0]?.welcomedAt).not.toBeNull();
      expect(onNew[0]?.closedAt).toBeNull();
      expect(sim.connections[0]).toMatchObject({ byClient: true });
      expect(sim.subscriptions().map((item) => item.id)).toEqual(idsBefore);
      expect(sim.subscriptions().every((item) => item.status === 'enabled')).toBe(true);
      expect(sim.requests.filter((request) => request.operation === 'create')).toHaveLength(3);
      expect(sim.sessions().find((session) => session.open)?.id === before?.id).toBe(options.keepSessionId);
      listener.stop();
    },
  );

  it('is told of a revocation', async () => {
    const { seen, listener } = await subscribedListener();
    await chatUntilHeard(seen, 'hello');
    const follow = sim.subscriptions().find((item) => item.type === 'channel.follow');
    sim.revoke(follow?.id ?? '', 'moderator_removed');
    await sim.waitFor(() => seen.revoked.length > 0, { what: 'the revocation' });
    expect(seen.revoked).toEqual(['moderator_removed']);
    listener.stop();
  });

  it('reads, pages and deletes subscriptions and finds users through its own API client', async () => {
    const { listener } = await subscribedListener();
    const api = apiClient();
    const listed = await api.eventSub.getSubscriptions();
    expect(listed).toMatchObject({ total: 3, totalCost: 0, maxTotalCost: 10 });
    const [first] = listed.data;
    expect(first).toMatchObject({ status: 'enabled', cost: 0 });
    await api.eventSub.deleteSubscription(first?.id ?? '');
    expect((await api.eventSub.getSubscriptionsPaginated().getAll()).length).toBe(2);
    expect((await api.users.getUserByName('streamer'))?.id).toBe(CHANNEL);
    expect((await api.users.getUsersByIds([BOT, CHANNEL])).map((user) => user.name)).toEqual([
      'relaybot',
      'streamer',
    ]);
    listener.stop();
  });

  it('validates and refreshes tokens', async () => {
    const granted = sim.grant({ userId: BOT, scopes: SCOPES });
    const info = await getTokenInfo(granted.accessToken, sim.clientId);
    expect(info).toMatchObject({ userId: BOT, userName: 'relaybot', scopes: SCOPES });
    const authProvider = new RefreshingAuthProvider({
      clientId: sim.clientId,
      clientSecret: sim.clientSecret,
    });
    authProvider.addUser(BOT, { ...granted, scope: SCOPES, expiresIn: null, obtainmentTimestamp: 0 });
    sim.expireToken(granted.accessToken);
    const user = await new ApiClient({ authProvider }).asUser(BOT, (api) => api.users.getUserById(BOT));
    expect(user?.displayName).toBe('RelayBot');
    expect(sim.requests.map((request) => `${request.operation} ${request.status}`)).toEqual([
      'validate 200',
      'users 401',
      'token 200',
      'users 200',
    ]);
  });
});
