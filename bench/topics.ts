// `npm run bench:topics`: many topics with a few consumers each; beside what one would use instead.
import { startNats, startSocketIo, startWs, requirePeers } from './contenders/peers.ts';
import { startOurs } from './contenders/relay.ts';
import { lostOf, perSecondLine, race, ratioOf, table } from './fanout/race.ts';
import { localPostgres } from './kit/flags.ts';
import { runProgram } from './kit/program.ts';

const numbers = {
  events: { default: 20_000, min: 100, max: 1_000_000, what: 'events in a round, over all topics' },
  topics: { default: 100, min: 1, max: 290, what: 'topics, each with a service of its own' },
  consumers: { default: 10, min: 1, max: 900, what: 'consumers of each topic' },
  rounds: { default: 3, min: 1, max: 100, what: 'rounds' },
  peers: { default: 1, min: 0, max: 1, what: '0 measures the relay alone' },
} as const;

await runProgram({
  flags: {
    name: 'topics',
    about:
      'Events of many topics to a few consumers each, as fast as they go through: the relay, ws, socket.io, NATS.',
    numbers,
    defaultDatabaseUrl: localPostgres,
  },
  async measure(options, deps, closing) {
    if (options.peers > 0) requirePeers();
    const peers = options.peers > 0 ? [startWs, startSocketIo, startNats] : [];
    const { consumers: consumersPerTopic } = options;
    const course = { ...deps, ...options, options, consumersPerTopic, inARow: 1 };
    return race({ ...course, contenders: [startOurs, ...peers] }, closing);
  },
  line: (raced) => ({
    topics_vs_nats: ratioOf(raced, 'nats'),
    topics_vs_ws: ratioOf(raced, 'ws'),
    topics_vs_socketio: ratioOf(raced, 'socket.io'),
    ...perSecondLine(raced),
    lost: lostOf(raced),
  }),
  render: table,
  lost: lostOf,
});
