// Faults of webhook receivers: each answers wrongly, late or never for a while. Nothing may be lost, the others may not notice.
import type { FaultKind, ReceiverFault, Stage } from '../contract.ts';

const lastsMs = 1_200;
const patienceMs = 8_000;

interface Wrong {
  readonly name: string;
  readonly what: string;
  readonly how: ReceiverFault;
  readonly afterwards?: (stage: Stage, receiver: number) => Promise<void>;
}

const wrongs: readonly Wrong[] = [
  { name: 'receiver-hangs', what: 'a receiver takes requests and answers none', how: { kind: 'hang' } },
  { name: 'receiver-refuses', what: 'a receiver takes no connections', how: { kind: 'refuse' } },
  {
    name: 'receiver-resets',
    what: 'a receiver resets the connection of each request',
    how: { kind: 'reset' },
  },
  { name: 'receiver-500', what: 'a receiver answers 500', how: { kind: 'status', status: 500 } },
  {
    name: 'receiver-503',
    what: 'a receiver answers 503 with Retry-After',
    how: { kind: 'status', status: 503, headers: { 'retry-after': '1' } },
  },
  {
    name: 'receiver-429',
    what: 'a receiver answers 429 with Retry-After',
    how: { kind: 'status', status: 429, headers: { 'retry-after': '1' } },
  },
  {
    name: 'receiver-410',
    what: 'a receiver answers 410, which disables it; its owner enables it again',
    how: { kind: 'status', status: 410 },
    async afterwards(stage, receiver) {
      const { consumers, receivers } = stage;
      const isDisabled = async () => (await consumers.endpointState(receiver)) === 'disabled';
      await stage.until(isDisabled, 'the endpoint to be disabled');
      receivers.misbehave(receiver, undefined);
      await consumers.enableEndpoint(receiver);
      if ((await consumers.endpointState(receiver)) === 'disabled') throw new Error('it is still disabled');
    },
  },
  {
    name: 'receiver-302',
    what: 'a receiver redirects to somewhere else',
    how: { kind: 'status', status: 302, headers: { location: 'http://127.0.0.1:9/elsewhere' } },
  },
  {
    name: 'receiver-endless-body',
    what: 'a receiver answers 200 and never ends its answer',
    how: { kind: 'endless_body' },
  },
  {
    name: 'receiver-garbage',
    what: 'a receiver answers with a garbled status line',
    how: { kind: 'garbage' },
  },
  {
    name: 'receiver-takes-and-cuts',
    what: 'a receiver takes the event and cuts the connection before it answers',
    how: { kind: 'takes_and_cuts' },
  },
  {
    name: 'receiver-slow',
    what: 'a receiver answers each request 400 ms late',
    how: { kind: 'slow', ms: 400 },
  },
];

/** Half of them at once: the others show that they do not notice. */
function chosen({ receivers, random }: Stage): number[] {
  const first = Math.floor(random() * receivers.count);
  return Array.from({ length: Math.ceil(receivers.count / 2) }, (_, n) => (first + n) % receivers.count);
}

const kindOf = ({ name, what, how, afterwards }: Wrong): FaultKind => ({
  name,
  what: `${what}: half of the twenty, at once`,
  group: 'receivers',
  databases: ['embedded', 'postgres'],
  mayLose: false,
  async play(stage) {
    const from = Date.now();
    const places = chosen(stage);
    const before = places.map((place) => stage.receivers.met(place));
    const met = () => places.map((place, n) => stage.receivers.met(place) - (before[n] ?? 0));
    for (const place of places) stage.receivers.misbehave(place, how);
    try {
      await stage.until(() => met().every((count) => count > 0), `each of them to meet ${name}`, patienceMs);
      if (afterwards) await Promise.all(places.map((place) => afterwards(stage, place)));
      else await stage.lasts(lastsMs);
    } finally {
      for (const place of places) stage.receivers.misbehave(place, undefined);
    }
    return { fired: met().reduce((sum, count) => sum + count, 0), from, to: Date.now() };
  },
});

export const receiverKinds: readonly FaultKind[] = wrongs.map(kindOf);
