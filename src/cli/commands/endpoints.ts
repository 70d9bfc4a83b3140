// The commands about webhook endpoints of the service whose credentials are given.
import { z } from 'zod';
import type { EndpointView, RelayClient } from '../../client/index.ts';
import { command, none, whole } from '../command.ts';
import { exitCodes } from '../failure.ts';
import { pick } from '../pick.ts';
import type { Session } from '../session.ts';
import { tellSecret } from '../tell-secret.ts';
import { endpointColumns, endpointDetails } from '../views.ts';

const endpointArg = { endpoint: 'its id, URL or description' };
/** A week. */
const maxGraceSeconds = 604_800;
const graceDefault = 'a day by default';

export async function findEndpoint(service: RelayClient, given: string): Promise<EndpointView> {
  return pick(await service.endpoints.list(), given, 'endpoint', ({ id, url, description }) => ({
    id,
    name: url,
    ...(description === '' ? {} : { aliases: [description] }),
  }));
}

const tell = ({ io, out }: Session, endpoint: EndpointView): Promise<void> =>
  out.json ? out.document(endpoint) : out.details(endpointDetails(io.clock.now()), [endpoint]);

const list = command({
  usage: 'list',
  summary: 'Lists the webhook endpoints and how they are',
  options: none,
  examples: ['eventsub-relay endpoints list'],
  async run({ io, out, service }) {
    const endpoints = await service().endpoints.list();
    if (out.json) return out.document(endpoints);
    if (endpoints.length === 0)
      return out.note('There is no endpoint. An interest with --webhook makes one.');
    return out.table(endpointColumns(io.clock.now()), endpoints);
  },
});

const show = command({
  usage: 'show <endpoint>',
  summary: 'Shows one endpoint with its settings',
  args: endpointArg,
  options: none,
  examples: ['eventsub-relay endpoints show http://127.0.0.1:9000/hook'],
  run: async (session, { args: [given = ''] }) => tell(session, await findEndpoint(session.service(), given)),
});

const enable = command({
  usage: 'enable <endpoint>',
  summary: 'Lets a disabled endpoint go on where it stopped',
  args: endpointArg,
  options: none,
  examples: ['eventsub-relay endpoints enable http://127.0.0.1:9000/hook'],
  async run(session, { args: [given = ''] }) {
    const service = session.service();
    const { id } = await findEndpoint(service, given);
    const endpoint = await session.during('asking the receiver', () => service.endpoints.enable(id));
    await tell(session, endpoint);
  },
});

const test = command({
  usage: 'test <endpoint>',
  summary: 'Sends a test event and says what the receiver answered',
  args: endpointArg,
  options: none,
  examples: ['eventsub-relay endpoints test http://127.0.0.1:9000/hook'],
  async run({ out, service: open, during }, { args: [given = ''] }) {
    const service = open();
    const { id } = await findEndpoint(service, given);
    const answer = await during('waiting for the receiver', () => service.endpoints.test(id));
    const good = answer.outcome === 'success';
    if (out.json) await out.document(answer);
    else {
      const mark = good ? out.style.green('✓') : out.style.red('✗');
      const status = answer.status === null ? '' : `, status ${answer.status}`;
      await out.painted(`${mark} ${answer.outcome}${status}, ${answer.duration_ms} ms`);
      if (!good && answer.response !== null)
        await out.details([{ title: 'it said', value: String }], [answer.response]);
    }
    return good ? exitCodes.ok.code : exitCodes.failed.code;
  },
});

const rotateSecret = command({
  usage: 'rotate-secret <endpoint>',
  summary: 'Gives an endpoint a new secret and shows it, once',
  notes: 'Both secrets sign during the grace, so that the receiver can change in between.',
  args: endpointArg,
  flags: [['--grace-seconds <n>', `how long the old secret goes on signing; ${graceDefault}`]],
  options: z.object({ graceSeconds: whole(0, maxGraceSeconds).optional() }),
  examples: ['eventsub-relay endpoints rotate-secret http://127.0.0.1:9000/hook'],
  async run({ io, out, service: open }, { args: [given = ''], options: { graceSeconds } }) {
    const service = open();
    const { id } = await findEndpoint(service, given);
    const made = await service.endpoints.rotateSecret(id, graceSeconds === undefined ? {} : { graceSeconds });
    await tellSecret({ out, io }, made, {
      shown: [
        ['endpoint', made.id],
        ['webhook_secret', made.webhook_secret],
        ['the old one signs until', made.previous_valid_until ?? 'no longer'],
      ],
      lost: 'run this command again',
    });
  },
});

export const endpointCommands = [list, show, enable, test, rotateSecret];
