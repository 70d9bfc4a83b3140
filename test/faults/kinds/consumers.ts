// Faults of those who are served: some misbehave beside the judged ones, who must not notice; the judged ones are cut.
import type { BadConsumer, Crowd, FaultKind, Stage } from '../contract.ts';

type Badness = Parameters<Crowd['bad']>[0];

const lastsMs = 1_500;
/** Opening a thousand takes a quiet machine about two seconds of both processes; the short programme has fewer. */
const atOnce = 100;
const crowds = { long: 1_000, short: 250 };

interface Bad {
  readonly name: string;
  readonly how: Badness;
  readonly what: string;
  /** At least so many of its worst, and the closes that it must have met. */
  readonly least: number;
  readonly isAnswered?: (bad: BadConsumer) => boolean;
}

const bads: readonly Bad[] = [
  {
    name: 'consumer-stops-reading',
    how: 'stops_reading',
    what: 'a consumer keeps its socket and reads nothing any more',
    least: 1,
  },
  {
    name: 'consumer-reads-slowly',
    how: 'reads_slowly',
    what: 'a consumer reads a few bytes at a time, ten times a second',
    least: 5,
  },
  {
    name: 'consumer-never-acks',
    how: 'never_acks',
    what: 'a consumer reads everything and acknowledges nothing',
    least: 50,
  },
  {
    name: 'consumer-acks-garbage',
    how: 'acks_garbage',
    what: 'a consumer answers each event with a cursor that is none, or with half a frame',
    least: 1,
    isAnswered: ({ closes }) => closes.includes(4400),
  },
  {
    name: 'consumer-reconnects-in-a-loop',
    how: 'reconnects_in_a_loop',
    what: 'a consumer connects, is cut, and connects again as fast as it can',
    least: 5,
  },
];

const about = { group: 'consumers', databases: ['embedded', 'postgres'], mayLose: false } as const;

const everyPlace = ({ consumers }: Stage) => Array.from({ length: consumers.sockets }, (_, place) => place);

export const consumerKinds: readonly FaultKind[] = [
  ...bads.map(({ name, how, what, least, isAnswered }): FaultKind => ({
    ...about,
    name,
    what,
    async play(stage) {
      const from = Date.now();
      const bad = await stage.crowd.bad(how);
      try {
        await stage.lasts(lastsMs);
        await stage.until(() => bad.count >= least && (isAnswered?.(bad) ?? true), `enough of ${name}`);
        return { fired: bad.count, from, to: Date.now() };
      } finally {
        await bad.stop();
      }
    },
  })),
  {
    ...about,
    name: 'crowd-drops',
    what: `${crowds.long} consumers drop at once (${crowds.short} in the short programme)`,
    async play(stage) {
      const wanted = stage.isLong ? crowds.long : crowds.short;
      // The fault is the drop: who comes all at once may be told to come later.
      for (let open = 0; open < wanted; open += atOnce)
        await stage.crowd.open(Math.min(atOnce, wanted - open));
      const from = Date.now();
      const fired = stage.crowd.cut();
      if (fired < wanted) throw new Error(`only ${fired} of ${wanted} were still there`);
      return { fired, from, to: Date.now() };
    },
  },
  {
    ...about,
    name: 'consumer-cut',
    what: 'a consumer is cut without a word and comes back, five times',
    async play(stage) {
      const from = Date.now();
      const place = Math.floor(stage.random() * stage.consumers.sockets);
      for (let n = 0; n < 5; n++)
        await stage.until(() => stage.consumers.cut([place]) === 1, 'the consumer to be cut');
      return { fired: 5, from, to: Date.now() };
    },
  },
  {
    ...about,
    name: 'all-consumers-cut',
    what: 'all fifty consumers are cut at once and come back together, three times',
    async play(stage) {
      const from = Date.now();
      let fired = 0;
      for (let n = 0; n < 3; n++) {
        await stage.until(
          () => stage.consumers.open === stage.consumers.sockets,
          'every consumer to be there',
        );
        fired += stage.consumers.cut(everyPlace(stage));
      }
      return { fired, from, to: Date.now() };
    },
  },
];
