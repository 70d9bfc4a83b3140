// The whole daemon against the simulator, for targets on real sockets: one bot, one service, and what its log must not say.
import { worlds, type Bot, type Service, type World } from '../support/world.ts';

export interface LiveWorld extends AsyncDisposable {
  readonly world: World;
  readonly bot: Bot;
  readonly service: Service;
  /** Throws when the relay has logged an error since it was last asked. */
  checkLog(): void;
}

/** What an admin can bring about: a token that Twitch does not know is a matter for people, and said as one. */
const expected = /the grant of this bot is gone/;

export async function liveWorld(): Promise<LiveWorld> {
  const place = worlds();
  await place.open();
  const world = await place.create({ env: { TRUST_PROXY: '127.0.0.0/8', LOG_LEVEL: 'warn' } });
  const bot = await world.addBot();
  const service = await world.addService();
  let read = 0;
  return {
    world,
    bot,
    service,
    checkLog() {
      const said = world.logs
        .slice(read)
        .find((line) => /"level":"(error|fatal)"/.test(line) && !expected.test(line));
      read = world.logs.length;
      if (said) throw new Error(`the relay logs ${said}`);
    },
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await place.close();
    },
  };
}
