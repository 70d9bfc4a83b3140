// Who takes part: four bots with five topics each, ten services with five sockets each, twenty receivers, two pull readers,
// and the auditor. Everything is made through the API, as its users make it.
import type { InterestView } from '../../src/protocol/rest.ts';
import type { Simulator } from '../simulator/index.ts';
import { allScopes } from '../support/world.ts';
import type { Api, Service } from './api.ts';
import { Auditor } from './auditor.ts';
import type { StageBot, StageConsumer, Topic } from './contract.ts';
import { shuffled, type Happenings } from './happenings.ts';
import { Inbox } from './inbox.ts';
import { PullReader } from './pull-reader.ts';
import type { Receivers } from './receivers.ts';
import { SocketConsumer } from './socket-consumer.ts';

/** Per bot; `own`: on its own channel, else on that of somebody who has authorised the application. None costs anything. */
const wishes: readonly (readonly { readonly type: string; readonly own: boolean }[])[] = [
  [
    { type: 'channel.chat.message', own: false },
    { type: 'channel.update', own: false },
    { type: 'channel.follow', own: true },
    { type: 'channel.subscribe', own: true },
    { type: 'channel.cheer', own: true },
  ],
  [
    { type: 'channel.chat.message', own: false },
    { type: 'stream.online', own: false },
    { type: 'stream.offline', own: false },
    { type: 'channel.follow', own: true },
    { type: 'channel.poll.begin', own: true },
  ],
];
export const botCount = 4;
export const receiverCount = 20;
const serviceCount = 10;
const socketsPerService = 5;
const topicsPerService = 8;
const pullReaders = 2;

export interface Population {
  readonly services: readonly Service[];
  readonly auditorService: Service;
  readonly auditor: Auditor;
  readonly sockets: readonly SocketConsumer[];
  readonly inboxes: readonly Inbox[];
  /** Of the receivers, in their order. */
  readonly endpoints: readonly { readonly service: Service; readonly id: string }[];
  readonly disposables: readonly AsyncDisposable[];
  /** Where one more interest would fit. */
  readonly places: readonly Place[];
}

/** A topic that a service does not have, and its sockets that would see it. */
export interface Place {
  readonly service: Service;
  readonly topic: Topic;
  readonly inboxes: readonly Inbox[];
}

export interface Ground {
  readonly api: Api;
  readonly url: string;
  readonly sim: Simulator;
  readonly random: () => number;
}

export async function addBots({ api, sim }: Ground): Promise<StageBot[]> {
  return Promise.all(
    Array.from({ length: botCount }, async (_, i) => {
      const user = sim.addUser({ login: `bot${i}` });
      const grant = sim.grant({ userId: user.id, scopes: allScopes });
      const { id } = await api.admin<{ id: string }>('POST', '/v1/admin/bots/import', {
        name: `bot${i}`,
        access_token: grant.accessToken,
        refresh_token: grant.refreshToken,
      });
      return { id, userId: user.id, ...grant };
    }),
  );
}

export async function addService({ api }: Ground, name: string): Promise<Service> {
  const made = await api.admin<{ client_id: string; client_secret: string }>(
    'POST',
    `/v1/admin/service-accounts?name=${name}`,
  );
  return { name, clientId: made.client_id, clientSecret: made.client_secret };
}

/** The auditor wants all of them, which is what makes them topics. */
export async function addTopics(
  { api, sim }: Ground,
  auditor: Service,
  bots: readonly StageBot[],
): Promise<Topic[]> {
  const wanted = bots.flatMap((bot, i) => {
    const channel = sim.addUser({ login: `channel${i}` });
    sim.grant({ userId: channel.id, scopes: [] });
    return (wishes[i % wishes.length] ?? []).map(({ type, own }) => ({
      bot,
      type,
      broadcasterId: own ? bot.userId : channel.id,
    }));
  });
  const topics: Topic[] = [];
  for (const [index, wish] of wanted.entries()) {
    const { topic_id } = await api.as<InterestView>(auditor, 'POST', '/v1/interests', interestBody(wish));
    topics.push({ index, topicId: topic_id, ...wish });
  }
  return topics;
}

export const interestBody = ({ bot, type, broadcasterId }: Omit<Topic, 'index' | 'topicId'>) => ({
  bot_account_id: bot.id,
  event_type: type,
  broadcaster_user_id: broadcasterId,
  transport: 'websocket',
});

interface Parts extends Ground {
  readonly topics: readonly Topic[];
  readonly happenings: Happenings;
  readonly receivers: Receivers;
  readonly auditorService: Service;
}

export async function populate(parts: Parts): Promise<Population> {
  const { api, url, topics, happenings, auditorService } = parts;
  const services = await Promise.all(
    Array.from({ length: serviceCount }, (_, i) => addService(parts, `service${i}`)),
  );
  const auditor = new Auditor(happenings, topics);
  const { head } = await api.as<{ head: string }>(auditorService, 'GET', '/v1/events?limit=1');
  const disposables: AsyncDisposable[] = [
    new PullReader(url, auditorService, head, (page) => auditor.take(page)),
  ];
  const sockets: SocketConsumer[] = [];
  const inboxes: Inbox[] = [];
  const endpoints: { service: Service; id: string }[] = [];
  const places: Place[] = [];
  const inboxOf = (consumer: StageConsumer) => {
    const inbox = new Inbox(consumer, happenings, topics);
    inboxes.push(inbox);
    return inbox;
  };
  await Promise.all(
    services.map(async (service, i) => {
      const wanted = shuffled(topics, parts.random).slice(0, topicsPerService);
      for (const topic of wanted) await api.as(service, 'POST', '/v1/interests', interestBody(topic));
      const hooked = new Set<number>();
      for (let r = i; r < receiverCount; r += serviceCount) {
        const endpoint = await addEndpoint(parts, { service, index: r, inboxOf });
        endpoints[r] = endpoint;
        for (const topic of endpoint.topics) hooked.add(topic);
      }
      const seers: { inbox: Inbox; types: readonly string[] }[] = [];
      for (let s = 0; s < socketsPerService; s++) {
        const types = typesFor(wanted, s);
        const subset = wanted.filter(({ type }) => types.includes(type)).map(({ index }) => index);
        const via = (i + s) % 2 === 0 ? 'relay.v1' : 'plain';
        const inbox = inboxOf({ name: `${service.name}.${via}.${s}`, via, topics: new Set(subset) });
        seers.push({ inbox, types });
        sockets.push(new SocketConsumer(inbox, { url, credentials: service, types, from: head }));
      }
      for (const topic of topics) {
        if (wanted.includes(topic)) continue;
        const seeing = seers.filter(({ types }) => types.includes(topic.type)).map(({ inbox }) => inbox);
        // A pull reader sees it as well: those of services without one are simpler to be right about.
        if (seeing.length > 0 && i >= pullReaders) places.push({ service, topic, inboxes: seeing });
      }
      if (i >= pullReaders) return;
      const all = new Set([...wanted.map(({ index }) => index), ...hooked]);
      const inbox = inboxOf({ name: `${service.name}.pull`, via: 'pull', topics: all });
      disposables.push(pullInto(inbox, { url, service, from: head }));
    }),
  );
  return {
    services,
    auditorService,
    auditor,
    sockets,
    inboxes,
    endpoints,
    places,
    disposables: [...disposables, ...sockets],
  };
}

/** About half of the types that the service has, beginning at another one for each socket. */
function typesFor(wanted: readonly Topic[], socket: number): string[] {
  const types = [...new Set(wanted.map(({ type }) => type))];
  const count = Math.max(1, Math.ceil(types.length * 0.55));
  return Array.from({ length: count }, (_, i) => types[(socket + i) % types.length] ?? '');
}

async function addEndpoint(
  { api, topics, receivers, random }: Parts,
  {
    service,
    index,
    inboxOf,
  }: { service: Service; index: number; inboxOf: (consumer: StageConsumer) => Inbox },
): Promise<{ service: Service; id: string; topics: ReadonlySet<number> }> {
  const receiver = receivers.at(index);
  const wanted = shuffled(topics, random).slice(0, 1 + (index % 2));
  const owed = new Set(wanted.map((topic) => topic.index));
  receiver.inbox = inboxOf({ name: `receiver${index}`, via: 'webhook', topics: owed });
  let id = '';
  for (const topic of wanted) {
    const made = await api.as<{ endpoint_id: string; webhook_secret?: string }>(
      service,
      'POST',
      '/v1/interests',
      { ...interestBody(topic), transport: 'webhook', webhook_url: receiver.url },
    );
    receiver.secret ??= made.webhook_secret;
    id = made.endpoint_id;
  }
  await api.as(service, 'PATCH', `/v1/endpoints/${id}`, { retry_profile: 'realtime' });
  return { service, id, topics: owed };
}

function pullInto(
  inbox: Inbox,
  { url, service, from }: { url: string; service: Service; from: string },
): PullReader {
  return new PullReader(url, service, from, ({ events, after, request }) => {
    for (const event of events) {
      inbox.take({
        text: Buffer.from(JSON.stringify(event)),
        cursor: event.cursor,
        attempt: null,
        accepted: true,
        connection: request,
        resumed: after,
      });
    }
  });
}
