// The command about consumers.
import { command, none } from '../command.ts';
import { consumerColumns } from '../views.ts';

const list = command({
  usage: 'list',
  summary: 'Lists the consumers of the service and how far behind they are',
  options: none,
  examples: ['eventsub-relay consumers list'],
  async run({ io, out, service }) {
    const consumers = await service().consumers();
    if (out.json) return out.document(consumers);
    if (consumers.length === 0) return out.note('No consumer has connected yet.');
    return out.table(consumerColumns(io.clock.now()), consumers);
  },
});

export const consumerCommands = [list];
