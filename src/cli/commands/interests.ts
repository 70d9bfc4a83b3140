// The commands about interests; they speak for the service whose credentials are given.
import { z } from 'zod';
import type { CreatedInterest, CreateInterestBody, InterestView } from '../../client/index.ts';
import { confirmed, yesFlag } from '../ask.ts';
import { pickBot } from '../bots.ts';
import { command, needed, none, whole } from '../command.ts';
import { exitCodes, usageError } from '../failure.ts';
import { tellSecret } from '../tell-secret.ts';
import { interestColumns, interestDetails } from '../views.ts';

const interestArg = { interest: 'its id' };
/** Twitch answers within a second as a rule. */
const waitSecondsDefault = 10;
const maxWaitSeconds = 30;

const list = command({
  usage: 'list',
  summary: 'Lists the interests of the service',
  options: none,
  examples: ['eventsub-relay interests list'],
  async run({ out, service, during }) {
    const interests = await during('asking the relay', () => service().interests.list());
    if (out.json) return out.document(interests);
    if (interests.length === 0) {
      return out.note('There is no interest yet. Make one: eventsub-relay interests create --help');
    }
    return out.table(interestColumns, interests);
  },
});

const show = command({
  usage: 'show <interest>',
  summary: 'Shows one interest',
  args: interestArg,
  options: none,
  examples: ['eventsub-relay interests show 8f14e45f-ceea-4672-a1b2-93f8d3a1c001'],
  async run({ out, service }, { args: [id = ''] }) {
    const interest = await service().interests.get(id);
    return out.json ? out.document(interest) : out.details(interestDetails, [interest]);
  },
});

const wishOptions = z.object({
  bot: needed,
  type: needed,
  broadcaster: z.string().optional(),
  eventVersion: z.string().optional(),
  condition: z.array(z.string()).optional(),
  webhook: z.string().optional(),
  wait: whole(0, maxWaitSeconds).default(waitSecondsDefault),
});
type WishOptions = z.infer<typeof wishOptions>;

const create = command({
  usage: 'create',
  summary: 'Makes an interest and waits for the verdict of Twitch',
  notes:
    'An interest that is there already is shown again. The first one with a webhook URL makes its endpoint and shows ' +
    "the endpoint's secret, once.",
  flags: [
    ['--bot <bot>', 'the bot: name, login or id (required)'],
    ['--type <type>', 'an event type such as channel.follow (required)'],
    ['--broadcaster <who>', 'whose channel: a user id, a login or a channel URL'],
    ['--event-version <version>', 'of the type; the newest one otherwise'],
    ['--condition <field=value...>', 'fields of the condition beside the broadcaster'],
    ['--webhook <url>', 'deliver to this URL instead of over the WebSocket'],
    ['--wait <seconds>', `for the verdict, 0 to ${maxWaitSeconds}; ${waitSecondsDefault} by default`],
  ],
  options: wishOptions,
  examples: [
    'eventsub-relay interests create --bot mybot --type channel.follow --broadcaster somebody',
    'eventsub-relay interests create --bot mybot --type stream.online --broadcaster somebody --webhook http://127.0.0.1:9000/hook',
  ],
  async run({ io, out, service: open, during }, { options }) {
    const service = open();
    const { bots } = await service.bots();
    const wish = wishOf(options, pickBot(bots, options.bot).id);
    const made = await during('waiting for the verdict of Twitch', () =>
      service.interests.create(wish, { waitSeconds: options.wait }),
    );
    const { webhook_secret: secret } = made;
    if (secret !== undefined) {
      await tellSecret({ out, io }, made, {
        shown: [
          ['webhook_secret', secret],
          ['interest', made.id],
          ['state', made.state],
        ],
        lost: `make a new one with: eventsub-relay endpoints rotate-secret ${made.endpoint_id ?? 'ENDPOINT'}`,
      });
    } else await (out.json ? out.document(made) : out.details(interestDetails, [made]));
    return verdict(made, (text) => out.warn(text));
  },
});

function wishOf(options: WishOptions, botId: string): CreateInterestBody {
  const { type, broadcaster, eventVersion, condition, webhook } = options;
  return {
    bot_account_id: botId,
    event_type: type,
    transport: webhook === undefined ? 'websocket' : 'webhook',
    ...(broadcaster === undefined ? {} : { broadcaster_user_id: broadcaster }),
    ...(eventVersion === undefined ? {} : { version: eventVersion }),
    ...(condition === undefined ? {} : { condition: conditionOf(condition) }),
    ...(webhook === undefined ? {} : { webhook_url: webhook }),
  };
}

function conditionOf(pairs: readonly string[]): Record<string, string> {
  const entries = pairs.map((pair): [string, string] => {
    const at = pair.indexOf('=');
    if (at < 1) throw usageError('--condition: expected field=value, such as user_id=1234');
    return [pair.slice(0, at), pair.slice(at + 1)];
  });
  return Object.fromEntries(entries);
}

/** A refused wish is there, and no success. */
async function verdict(made: CreatedInterest, warn: (text: string) => Promise<void>): Promise<number> {
  if (isGood(made)) return exitCodes.ok.code;
  await warn(`The interest is ${made.state}: ${made.reason ?? 'no reason given'}`);
  return exitCodes.failed.code;
}

/** Pending: Twitch has not answered yet; the relay goes on. */
const isGood = ({ state }: InterestView) => state === 'active' || state === 'pending';

const remove = command({
  usage: 'remove <interest>',
  summary: 'Removes an interest; the last one of a webhook URL removes the endpoint',
  args: interestArg,
  flags: [yesFlag],
  options: z.object({ yes: z.boolean().optional() }),
  examples: ['eventsub-relay interests remove 8f14e45f-ceea-4672-a1b2-93f8d3a1c001 --yes'],
  async run({ io, out, service: open }, { args: [id = ''], options }) {
    const service = open();
    const { event_type: type } = await service.interests.get(id);
    if (!(await confirmed(io, `Remove the interest in ${type}?`, options.yes))) return exitCodes.failed.code;
    await service.interests.remove(id);
    return out.json ? out.document({ deleted: true }) : out.line(`The interest in ${type} is removed.`);
  },
});

export const interestCommands = [list, show, create, remove];
