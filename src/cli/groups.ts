// The tree of commands: which there are, in the order of the help.
import type { AnyCommand } from './command.ts';
import { botCommands } from './commands/bots.ts';
import { broadcasterCommands } from './commands/broadcasters.ts';
import { consumerCommands } from './commands/consumers.ts';
import { deliveryCommands } from './commands/deliveries.ts';
import { doctor } from './commands/doctor.ts';
import { endpointCommands } from './commands/endpoints.ts';
import { eventCommands } from './commands/events.ts';
import { interestCommands } from './commands/interests.ts';
import { localCommands } from './commands/local.ts';
import { serviceCommands } from './commands/services.ts';

export interface Group {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly AnyCommand[];
}

/** Commands without a group. */
export const plainCommands: readonly AnyCommand[] = [...localCommands, doctor];

export const groups: readonly Group[] = [
  { name: 'bots', summary: 'The Twitch accounts that the relay acts as', commands: botCommands },
  { name: 'services', summary: 'The service accounts that may log in', commands: serviceCommands },
  { name: 'interests', summary: 'What a service wants to hear of', commands: interestCommands },
  { name: 'broadcasters', summary: 'Broadcasters who are no bots', commands: broadcasterCommands },
  { name: 'events', summary: 'The events of a service', commands: eventCommands },
  { name: 'consumers', summary: 'The readers of a service and how far they are', commands: consumerCommands },
  { name: 'endpoints', summary: 'The webhook endpoints of a service', commands: endpointCommands },
  { name: 'deliveries', summary: 'What was sent to webhook endpoints', commands: deliveryCommands },
];
