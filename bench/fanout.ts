// `npm run bench:fanout`: one topic, many consumers, as fast as it goes; beside what one would use instead.
import { startNats, startSocketIo, startWs, requirePeers } from './contenders/peers.ts';
import { startOurs } from './contenders/relay.ts';
import { lostOf, perSecondLine, race, ratioOf, table } from './fanout/race.ts';
import { localPostgres } from './kit/flags.ts';
import { runProgram } from './kit/program.ts';

const numbers = {
  events: { default: 4_000, min: 100, max: 1_000_000, what: 'events in a round' },
  consumers: { default: 500, min: 1, max: 900, what: 'consumers of the one topic' },
  rounds: { default: 3, min: 1, max: 100, what: 'rounds' },
  peers: { default: 1, min: 0, max: 1, what: '0 measures the relay alone' },
} as const;

await runProgram({
  flags: {
    name: 'fanout',
    about:
      'Events of one topic to many consumers, as fast as they go through: the relay, ws, socket.io, NATS.',
    numbers,
    defaultDatabaseUrl: localPostgres,
  },
  async measure(options, deps, closing) {
    if (options.peers > 0) requirePeers();
    const peers = options.peers > 0 ? [startWs, startSocketIo, startNats] : [];
    const { events, rounds, consumers } = options;
    const course = { topics: 1, consumersPerTopic: consumers, events, rounds, inARow: 64 };
    return race({ ...deps, ...course, options, contenders: [startOurs, ...peers] }, closing);
  },
  line: (raced) => ({
    fanout_vs_ws: ratioOf(raced, 'ws'),
    fanout_vs_nats: ratioOf(raced, 'nats'),
    fanout_vs_socketio: ratioOf(raced, 'socket.io'),
    ...perSecondLine(raced),
    lost: lostOf(raced),
  }),
  render: table,
  lost: lostOf,
});
