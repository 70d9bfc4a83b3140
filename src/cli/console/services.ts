// The menu of service accounts: who may log in, with which secret, and which bots they may use.
import type { BotView, ServiceView } from '../../client/index.ts';
import type { Column } from '../table.ts';
import { relative } from '../format.ts';
import { menu, up, type Action, type Room } from './menu.ts';
import { line } from './prompts.ts';

export function servicesMenu(room: Room): Promise<void> {
  const { ui } = room;
  return menu(room, 'Service accounts', async () => {
    const [services, bots] = await look(room, 'Looking at the service accounts');
    if (services.length === 0) await ui.say('There is no service account yet.');
    else await ui.table(serviceColumns(bots, ui.clock.now()), services);
    await ui.say();
    return [
      ...services.map((service) => ({
        // The name first: typing jumps to it.
        name: `${service.name} ${service.enabled ? '●' : '○'}`,
        value: () => serviceMenu(room, service.client_id),
      })),
      ...(services.length === 0 ? [] : ([line] as const)),
      { name: 'Create a service account', value: () => create(room) },
      { name: 'Look again', value: () => Promise.resolve() },
      { name: 'Back', value: up },
    ];
  });
}

function serviceMenu(room: Room, clientId: string): Promise<void> {
  const { ui } = room;
  let title = 'Service account';
  return menu(
    room,
    () => title,
    async () => {
      const [services, bots] = await look(room, 'Looking at the service account');
      const service = services.find((each) => each.client_id === clientId);
      if (!service) {
        await ui.warn('This service account is not there any more.');
        return [{ name: 'Back', value: up }];
      }
      title = service.name;
      await ui.table(serviceColumns(bots, ui.clock.now()), [service]);
      await ui.say();
      return [
        { name: 'New secret', value: () => regenerate(room, service) },
        {
          name: 'Access to bots',
          description: `Now: ${accessText(service, bots)}`,
          value: () => changeAccess(room, service, bots),
        },
        {
          name: service.enabled ? 'Disable' : 'Enable',
          value: () => setEnabled(room, service, !service.enabled),
        },
        { name: 'Remove', value: () => remove(room, service) },
        { name: 'Back', value: up },
      ];
    },
  );
}

const look = ({ relay }: Room, text: string) =>
  relay.look(text, (admin) => Promise.all([admin.serviceAccounts.list(), admin.bots()]));

/** Which bots it may use, by their names. */
export function accessText(service: ServiceView, bots: readonly Pick<BotView, 'id' | 'name'>[]): string {
  if (service.access_mode === 'all') return 'all bots';
  const names = service.bot_account_ids.map((id) => bots.find((bot) => bot.id === id)?.name ?? id);
  return names.length === 0 ? 'no bot' : `only ${names.join(', ')}`;
}

/** `now`: milliseconds since the epoch. */
export function serviceColumns(bots: readonly BotView[], now: number): readonly Column<ServiceView>[] {
  return [
    { title: 'Service', value: ({ name }) => name, whole: true },
    {
      title: 'State',
      value: ({ enabled }) => (enabled ? 'enabled' : 'disabled'),
      paint: (text, { enabled }, style) => (enabled ? style.green(text) : style.dim(text)),
      whole: true,
    },
    { title: 'May use', value: (service) => accessText(service, bots) },
    { title: 'Last seen', value: (service) => seenText(service, now), whole: true },
    { title: 'client_id', value: (service) => service.client_id, whole: true },
  ];
}

const seenText = ({ last_seen_at: seen }: ServiceView, now: number): string =>
  seen === null ? 'never' : relative(seen, now);

const serviceName = (name: string) =>
  /^[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}$/u.test(name) || 'expected 1 to 64 letters, digits, spaces or . _ -';

const onlyCopy =
  'This is the only time that the secret is shown: copy both to where the service reads them. The relay keeps a hash. They are gone from the screen, and from its history, when you press Enter.';

async function create({ ui, relay }: Room): Promise<void> {
  const name = await ui.ask.text('Name of the service', { validate: serviceName });
  const made = await relay.change('Creating', (admin) => admin.serviceAccounts.create(name));
  await ui.secret({
    title: `Service account ${made.name}`,
    fields: [
      ['client_id', made.client_id],
      ['client_secret', made.client_secret],
    ],
    note: onlyCopy,
  });
  await ui.done(`${made.name} may log in (client_id ${made.client_id}). Its secret was shown once.`);
}

const graces: readonly (readonly [words: string, seconds: number])[] = [
  ['Not at all: the old one dies now and its sockets close', 0],
  ['For 10 minutes', 600],
  ['For 1 hour', 3_600],
  ['For 1 day', 86_400],
  ['For 7 days', 604_800],
];

async function regenerate({ ui, relay }: Room, service: ServiceView): Promise<void> {
  const graceSeconds = await ui.ask.select(
    `How long shall the old secret of ${service.name} work beside the new one?`,
    graces.map(([name, value]) => ({ name, value })),
  );
  const made = await relay.change('Making a new secret', (admin) =>
    admin.serviceAccounts.regenerate(service.client_id, { graceSeconds }),
  );
  await ui.secret({
    title: `New secret of ${service.name}`,
    fields: [
      ['client_id', made.client_id],
      ['client_secret', made.client_secret],
    ],
    note: onlyCopy,
  });
  const until = made.previous_valid_until;
  await ui.done(
    `${service.name} has a new secret. The old one ${until === null ? 'is dead' : `works until ${until}`}.`,
  );
  if (relay.serviceId === service.client_id) relay.forgetService();
}

async function changeAccess(
  { ui, relay }: Room,
  service: ServiceView,
  bots: readonly BotView[],
): Promise<void> {
  const mode = await ui.ask.select(
    `Which bots may ${service.name} use?`,
    [
      { name: 'All, also those to come', value: 'all' as const },
      { name: 'Only some', value: 'restricted' as const },
    ],
    { default: service.access_mode },
  );
  const chosen = mode === 'restricted' && bots.length > 0 ? await chooseBots() : [];
  const patched = await relay.change('Changing', (admin) =>
    admin.serviceAccounts.patch(service.client_id, {
      access_mode: mode,
      ...(mode === 'restricted' ? { bot_account_ids: chosen } : {}),
    }),
  );
  await ui.done(`${patched.name} may use ${accessText(patched, bots)}.`);

  function chooseBots(): Promise<string[]> {
    return ui.ask.checkbox(
      'Space marks a bot; what it has interests in and may not use stops',
      bots.map((bot) => ({
        name: `${bot.name} (${bot.twitch_login})`,
        value: bot.id,
        checked: service.bot_account_ids.includes(bot.id),
      })),
    );
  }
}

async function setEnabled({ ui, relay }: Room, service: ServiceView, enabled: boolean): Promise<void> {
  const question = `Disable ${service.name}? Its sockets close at once, and its interests rest.`;
  if (!enabled && !(await ui.ask.confirm(question))) return;
  await relay.change(enabled ? 'Enabling' : 'Disabling', (admin) =>
    admin.serviceAccounts.patch(service.client_id, { enabled }),
  );
  await ui.done(`${service.name} is ${enabled ? 'enabled' : 'disabled'}.`);
}

const remove = async ({ ui, relay }: Room, service: ServiceView): ReturnType<Action> => {
  await ui.warn(`This removes ${service.name} with all its interests and its place in the log.`);
  const typed = await ui.ask.text(`Type ${service.name} to remove it (Esc: keep it)`);
  if (typed !== service.name) {
    await ui.say('That is not its name: it stays.');
    return;
  }
  await relay.change('Removing', (admin) => admin.serviceAccounts.remove(service.client_id));
  await ui.done(`${service.name} is removed.`);
  if (relay.serviceId === service.client_id) relay.forgetService();
  return 'up';
};
