// Owns `npm run simulate`: Twitch's stand-in on its own, with a bot to play with, until Ctrl-C. It must never be part
// of the daemon.
import { parseArgs } from 'node:util';
import { startSimulator } from '../test/simulator/index.ts';

const BOT_SCOPES = [
  'user:read:chat',
  'moderator:read:followers',
  'channel:read:subscriptions',
  'bits:read',
  'channel:moderate',
];

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '9400' },
    seed: { type: 'string' },
    'keepalive-seconds': { type: 'string' },
    'sign-in': { type: 'string', default: 'relaybot' },
    quiet: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
});

if (values.help) {
  console.log(
    'npm run simulate -- [--port 9400] [--seed N] [--keepalive-seconds N] [--sign-in relaybot|streamer] [--quiet]',
  );
  process.exit(0);
}

const simulator = await startSimulator({
  port: Number(values.port),
  ...(values.seed === undefined ? {} : { seed: Number(values.seed) }),
  ...(values['keepalive-seconds'] === undefined
    ? {}
    : { keepaliveSeconds: Number(values['keepalive-seconds']) }),
  ...(values.quiet ? {} : { log: (line: string) => console.log(line) }),
});
const bot = simulator.addUser({ id: '1001', login: 'relaybot', displayName: 'RelayBot' });
const channel = simulator.addUser({ id: '2002', login: 'streamer', displayName: 'Streamer' });
// Who answers when the relay asks for a grant.
simulator.signIn(values['sign-in'] === channel.login ? channel.id : bot.id);
const token = simulator.grant({ userId: bot.id, scopes: BOT_SCOPES });

console.log(`Twitch's stand-in listens.

  HTTP       ${simulator.url}  (/helix, /oauth2, and the layout that TWURPLE_MOCK_API_PORT expects)
  EventSub   ${simulator.eventSubUrl}
  Control    ${simulator.url}/control/state

  bot        ${bot.login} (${bot.id})      channel    ${channel.login} (${channel.id})
  token      ${token.accessToken}
  refresh    ${token.refreshToken}

For the relay, in its .env:

TWITCH_CLIENT_ID=${simulator.clientId}
TWITCH_CLIENT_SECRET=${simulator.clientSecret}
TWURPLE_MOCK_API_PORT=${simulator.port}
TWITCH_EVENTSUB_URL=${simulator.eventSubUrl}

Try:

curl -s ${simulator.url}/control/state
curl -s ${simulator.url}/control/send -H 'content-type: application/json' -d '{"type":"channel.follow"}'

The second sends an event to whoever asks for it. With the relay, that is after

eventsub-relay interests create --bot ${bot.login} --type channel.follow --broadcaster ${channel.login}

Adding a bot: a link of the relay is answered at once, as ${values['sign-in']}. Somebody else, a no, or a device code:

curl -s ${simulator.url}/control/sign-in -H 'content-type: application/json' -d '{"user_id":"${channel.id}"}'
curl -s ${simulator.url}/control/deny-next -X POST
curl -s ${simulator.url}/control/device -H 'content-type: application/json' -d '{"user_code":"…","user_id":"${bot.id}"}'

Ctrl-C ends it.`);

const stop = (): void => {
  void simulator.close().then(() => process.exit(0));
};
process.once('SIGINT', stop);
process.once('SIGTERM', stop);
