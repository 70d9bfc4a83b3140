// The command by which a broadcaster who is no bot grants the app what topics need.
import { z } from 'zod';
import type {
  AdminClient,
  AuthorizationLink,
  AuthorizeBroadcasterBody,
  RelayClient,
} from '../../client/index.ts';
import type { AskAuthorization } from '../authorization.ts';
import { authorizationFlags, authorizationOptions, followLink } from '../authorize-flow.ts';
import { command } from '../command.ts';

const authorize = command({
  usage: 'authorize',
  summary: 'Makes a link by which a broadcaster grants the app what event types need',
  notes:
    'Asked by the service whose credentials are given, or else by the admin. The account that comes of it may be used ' +
    'by the service that asked.',
  flags: [...authorizationFlags, ['--as <who>', 'admin or service; a service if its credentials are given']],
  options: authorizationOptions.extend({
    as: z.enum(['admin', 'service'], 'expected admin or service').optional(),
  }),
  examples: ['eventsub-relay broadcasters authorize --types channel.subscribe --no-wait'],
  async run(session, { options: { as, types, scopes, wait } }) {
    const body = {
      ...(types === undefined ? {} : { event_types: types }),
      ...(scopes === undefined ? {} : { scopes }),
    };
    const asService = as === 'service' || (as === undefined && session.connection.service !== undefined);
    const caller = asService ? serviceCaller(session.service()) : adminCaller(session.admin());
    const link = await session.during('making the link', () => caller.start(body));
    await followLink(
      session,
      link,
      { wait },
      {
        tell: async ({ out }) => {
          await out.note('Send this address to the broadcaster:');
          await out.line(link.authorize_url);
        },
        ask: caller.ask,
        result: async (id) => (await caller.bots()).find((bot) => bot.id === id),
      },
    );
  },
});

interface Caller {
  start(body: AuthorizeBroadcasterBody): Promise<AuthorizationLink>;
  ask: AskAuthorization;
  bots(): Promise<readonly { readonly id: string; readonly name: string; readonly twitch_login: string }[]>;
}

const adminCaller = (admin: AdminClient): Caller => ({
  start: (body) => admin.authorizeBroadcaster(body),
  ask: (id, wait) => admin.authorization(id, wait),
  bots: () => admin.bots(),
});

const serviceCaller = (service: RelayClient): Caller => ({
  start: (body) => service.authorizeBroadcaster(body),
  ask: (id, wait) => service.broadcasterAuthorization(id, wait),
  bots: async () => (await service.bots()).bots,
});

export const broadcasterCommands = [authorize];
