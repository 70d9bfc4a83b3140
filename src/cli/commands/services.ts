// The commands about service accounts. A secret is shown once, by the command that made it.
import { z } from 'zod';
import type { AdminClient, BotView, ServicePatch, ServiceView } from '../../client/index.ts';
import { confirmed, yesFlag } from '../ask.ts';
import { pickBot } from '../bots.ts';
import { command, none, whole } from '../command.ts';
import { exitCodes, usageError } from '../failure.ts';
import { pick } from '../pick.ts';
import type { Session } from '../session.ts';
import { tellSecret } from '../tell-secret.ts';
import { serviceColumns } from '../views.ts';

const serviceArg = { service: 'its name or client id' };
/** A week. */
const maxGraceSeconds = 604_800;

export async function findService(admin: AdminClient, given: string): Promise<ServiceView> {
  const services = await admin.serviceAccounts.list();
  return pick(services, given, 'service account', ({ client_id: id, name }) => ({ id, name }));
}

async function tellService({ io, out }: Session, service: ServiceView): Promise<void> {
  if (out.json) await out.document(service);
  else await out.table(serviceColumns(io.clock.now()), [service]);
}

const list = command({
  usage: 'list',
  summary: 'Lists the service accounts',
  options: none,
  examples: ['eventsub-relay services list'],
  async run({ io, out, admin, during }) {
    const services = await during('asking the relay', () => admin().serviceAccounts.list());
    if (out.json) return out.document(services);
    if (services.length === 0) {
      return out.note('There is no service account yet. Make one: eventsub-relay services create NAME');
    }
    await out.table(serviceColumns(io.clock.now()), services);
  },
});

const create = command({
  usage: 'create <name>',
  summary: 'Makes a service account and shows its secret, once',
  args: { name: '1 to 64 letters, digits, spaces or . _ -' },
  options: none,
  examples: ['eventsub-relay services create overlay', 'eventsub-relay services create overlay --json'],
  async run({ out, io, admin, during }, { args: [name = ''] }) {
    const made = await during('making the account', () => admin().serviceAccounts.create(name));
    await tellSecret({ out, io }, made, {
      shown: [
        ['name', made.name],
        ['client_id', made.client_id],
        ['client_secret', made.client_secret],
      ],
      lost: `make a new one with: eventsub-relay services regenerate "${made.name}"`,
    });
  },
});

const regenerate = command({
  usage: 'regenerate <service>',
  summary: 'Gives a service account a new secret and shows it, once',
  notes:
    'The old secret dies at once and its sockets are closed, unless --grace-seconds lets both work for a while.',
  args: serviceArg,
  flags: [['--grace-seconds <n>', 'how long the old secret goes on working; 0 by default'], yesFlag],
  options: z.object({ graceSeconds: whole(0, maxGraceSeconds).optional(), yes: z.boolean().optional() }),
  examples: ['eventsub-relay services regenerate overlay --grace-seconds 3600'],
  async run({ out, io, admin: openAdmin }, { args: [given = ''], options: { graceSeconds = 0, yes } }) {
    const admin = openAdmin();
    const service = await findService(admin, given);
    const question = `Replace the secret of "${service.name}" at once and close its sockets?`;
    if (graceSeconds === 0 && !(await confirmed(io, question, yes))) return exitCodes.failed.code;
    const made = await admin.serviceAccounts.regenerate(service.client_id, { graceSeconds });
    return tellSecret({ out, io }, made, {
      shown: [
        ['client_id', made.client_id],
        ['client_secret', made.client_secret],
        ['the old one works until', made.previous_valid_until ?? 'no longer'],
      ],
      lost: 'run this command again',
    });
  },
});

const setEnabled = (enabled: boolean) =>
  command({
    usage: enabled ? 'enable <service>' : 'disable <service>',
    summary: enabled ? 'Lets a service log in again' : 'Shuts a service out and closes its sockets',
    args: serviceArg,
    options: none,
    examples: [`eventsub-relay services ${enabled ? 'enable' : 'disable'} overlay`],
    async run(session, { args: [given = ''] }) {
      const admin = session.admin();
      const { client_id: id } = await findService(admin, given);
      const service = await admin.serviceAccounts.setEnabled(id, enabled);
      await session.out.note(`${service.name} is ${enabled ? 'enabled' : 'disabled'}.`);
      await tellService(session, service);
    },
  });

const access = command({
  usage: 'access <service>',
  summary: 'Says which bots a service may use, or changes it',
  args: serviceArg,
  flags: [
    ['--all', 'every bot, also those that come later'],
    ['--none', 'no bot'],
    ['--bot <bot...>', 'these bots and no others'],
  ],
  options: z.object({
    all: z.boolean().optional(),
    none: z.boolean().optional(),
    bot: z.array(z.string()).optional(),
  }),
  examples: [
    'eventsub-relay services access overlay',
    'eventsub-relay services access overlay --bot mybot otherbot',
    'eventsub-relay services access overlay --all',
  ],
  async run(session, { args: [given = ''], options }) {
    const admin = session.admin();
    const [service, bots] = await Promise.all([findService(admin, given), admin.bots()]);
    const patch = patchOf(options, bots);
    const now = patch ? await admin.serviceAccounts.patch(service.client_id, patch) : service;
    if (session.out.json) return session.out.document(now);
    await session.out.line(`${now.name} may use ${allowedBots(now, bots)}.`);
  },
});

function patchOf(
  options: { all?: boolean | undefined; none?: boolean | undefined; bot?: string[] | undefined },
  bots: readonly BotView[],
): ServicePatch | undefined {
  const { all, none: no, bot } = options;
  const given = [all, no, bot].filter((each) => each !== undefined).length;
  if (given > 1) throw usageError('Only one of --all, --none and --bot makes sense.');
  if (all) return { access_mode: 'all' };
  if (no) return { access_mode: 'restricted', bot_account_ids: [] };
  if (!bot) return undefined;
  return {
    access_mode: 'restricted',
    bot_account_ids: [...new Set(bot.map((each) => pickBot(bots, each).id))],
  };
}

function allowedBots(service: ServiceView, bots: readonly BotView[]): string {
  if (service.access_mode === 'all') return 'every bot';
  const names = service.bot_account_ids.map((id) => bots.find((bot) => bot.id === id)?.name ?? id);
  return names.length === 0 ? 'no bot' : `only ${names.join(', ')}`;
}

const remove = command({
  usage: 'remove <service>',
  summary: 'Removes a service account with all its interests',
  args: serviceArg,
  flags: [yesFlag],
  options: z.object({ yes: z.boolean().optional() }),
  examples: ['eventsub-relay services remove overlay --yes'],
  async run({ io, out, admin: openAdmin, during }, { args: [given = ''], options }) {
    const admin = openAdmin();
    const { client_id: id, name } = await findService(admin, given);
    const question = `Remove the service account "${name}" with all its interests?`;
    if (!(await confirmed(io, question, options.yes))) return exitCodes.failed.code;
    await during('removing the account', () => admin.serviceAccounts.remove(id));
    return out.json ? out.document({ deleted: true }) : out.line(`${name} is removed.`);
  },
});

export const serviceCommands = [
  list,
  create,
  regenerate,
  setEnabled(true),
  setEnabled(false),
  access,
  remove,
];
