// Whatever receivers answer, whenever the process dies and the database goes away: every event is delivered or declared as
// lost, no number is used twice, and a lane is overtaken only by those who waited long enough.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OutcomeKind } from '../../src/delivery/webhooks/outcome.ts';
import type { RetryProfile } from '../../src/domain/endpoint.ts';
import { defaultEndpointSettings } from '../../src/domain/endpoint.ts';
import { World, eventOf, turns } from '../contract/dispatcher-rig.ts';
import type { Process, Sent } from '../contract/dispatcher-rig.ts';

const blockBudgetMs = 60_000;
/** When a delivery is due that failed once: by the schedule, or because it was asked for below. */
const retryAfterMs = 7_000;
const firstRetryMs = Math.max(5_000, retryAfterMs);

type Step =
  | { readonly kind: 'append'; readonly lane: number; readonly count: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'mood'; readonly failing: number }
  | { readonly kind: 'database'; readonly failing: number }
  | { readonly kind: 'replay'; readonly after: number }
  | { readonly kind: 'crash' | 'restart' | 'turns' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      lane: fc.nat(4),
      count: fc.integer({ min: 1, max: 15 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      ms: fc.constantFrom(100, 1_000, 6_000, 40_000, 400_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('mood' as const), failing: fc.constantFrom(0, 0.1, 0.4, 1) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('database' as const), failing: fc.constantFrom(0, 0.2, 0.8) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('crash' as const, 'restart' as const) }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'turns' as const }) },
);

const replayOrStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: step },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('replay' as const), after: fc.nat(60) }) },
);

const faults: readonly OutcomeKind[] = [
  'server_error',
  'client_error',
  'timeout',
  'connection_reset',
  'unavailable',
  'ours',
];

/** Mulberry32: the run is the same for the same seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Story {
  readonly world: World;
  readonly fired: { crashes: number; database: number; failures: number };
  /** How many events each replay promised to send; undefined: its process died before it could. */
  readonly replayed: readonly (number | undefined)[];
}

async function play(steps: readonly Step[], seed: number, retryProfile: RetryProfile): Promise<Story> {
  const world = new World();
  const random = generator(seed);
  const fired = { crashes: 0, database: 0, failures: 0 };
  const replayed: { events?: number }[] = [];
  let mood = 0.2;
  world.rows.addEndpoint('e1', { settings: { ...defaultEndpointSettings, retryProfile } });
  world.receivers.answer = async () => {
    await turns(Math.floor(random() * 5));
    if (random() >= mood) return 'success';
    fired.failures++;
    const kind = faults[Math.floor(random() * faults.length)] ?? 'timeout';
    return kind === 'unavailable' && random() < 0.5 ? { kind, retryAfterMs } : kind;
  };
  let process = begin(world);
  for (const one of steps) {
    if (one.kind === 'append') world.feed.append(`lane-${one.lane}`, one.count);
    else if (one.kind === 'pass') await world.pass(one.ms, Math.max(100, one.ms / 20));
    else if (one.kind === 'mood') mood = one.failing;
    else if (one.kind === 'turns') await turns(3);
    else if (one.kind === 'replay') replayed.push(replay(process, one.after));
    else if (one.kind === 'database') {
      world.rows.fault = () => {
        if (random() >= one.failing) return undefined;
        fired.database++;
        return random() < 0.5 ? 'refuse' : 'lose';
      };
    } else {
      fired.crashes++;
      if (one.kind === 'crash') process.crash();
      else await stopClean(world, process);
      process = begin(world);
    }
  }
  mood = 0;
  world.rows.fault = () => undefined;
  await world.pass(120_000, 5_000);
  for (let hours = 0; hours < 80 && !isDone(world); hours++) await world.pass(3_600_000, 600_000);
  await world.pass(2_000, 500);
  await process.webhooks.stop({ withinMs: 1_000 });
  return { world, fired, replayed: replayed.map(({ events }) => events) };
}

function replay({ webhooks }: Process, after: number): { events?: number } {
  const answer: { events?: number } = {};
  const asked = { serviceAccountId: 'service-1', endpointId: 'e1', after, dryRun: false };
  webhooks.replay(asked).then(
    ({ events }) => (answer.events = events),
    () => undefined,
  );
  return answer;
}

function begin(world: World): Process {
  const process = world.launch();
  void process.webhooks.start();
  return process;
}

/** The clock has to go on for a stop that waits for a database that is away. */
async function stopClean(world: World, process: Process): Promise<void> {
  let isStopped = false;
  const stopping = process.stop(500).then(() => (isStopped = true));
  while (!isStopped) await world.pass(500, 100);
  await stopping;
  process.crash();
}

const isDone = (world: World): boolean =>
  world.rows.owed('e1').length === 0 && world.rows.at('e1').ackedSeq === world.feed.head();

const lostIds = (world: World): Set<string> =>
  new Set(
    world.declared
      .filter(({ type }) => type === 'relay.gap')
      .flatMap((draft) => eventOf(draft)['event_ids'] as string[]),
  );

function checkNumbers(world: World): void {
  const last = new Map<string, Sent>();
  for (const sent of world.receivers.sent) {
    const before = last.get(sent.id);
    // What never left is sent again under its number.
    if (before?.outcome === 'ours') expect(sent.attempt).toBeGreaterThanOrEqual(before.attempt);
    else if (before) expect(sent.attempt, `${sent.id} again`).toBeGreaterThan(before.attempt);
    last.set(sent.id, sent);
  }
}

/** Of several runs the lower number may leave last. */
function checkNumbersDiffer(world: World): void {
  const numbers = world.receivers.sent
    .filter(({ outcome }) => outcome !== 'ours')
    .map(({ id, attempt }) => `${id}#${attempt}`);
  expect(numbers.filter((number, at) => numbers.indexOf(number) !== at)).toEqual([]);
}

const seqOf = ({ id }: Pick<Sent, 'id'>): number => Number(id.slice('event-'.length));

/** Nothing leaves a lane before what precedes it, unless that has failed and the lane may go on without it. */
function checkOrder(world: World): void {
  const lost = lostIds(world);
  const lanes = new Map<string, Sent[]>();
  for (const sent of world.receivers.sent) {
    const { audience } = world.feed.records.get(seqOf(sent)) ?? {};
    const lane = audience?.kind === 'topic' ? audience.topicId : '';
    lanes.set(lane, [...(lanes.get(lane) ?? []), sent]);
  }
  for (const sends of lanes.values()) checkLane(sends, lost);
}

function checkLane(sends: readonly Sent[], lost: ReadonlySet<string>): void {
  const ids = [...new Set(sends.map(({ id }) => id))];
  const overtaken = new Set<string>();
  for (const sent of sends) {
    const before = sends.filter(({ begun, ended }) => begun < sent.begun && ended < sent.begun);
    const done = new Set(before.filter(({ outcome }) => outcome === 'success').map(({ id }) => id));
    for (const id of ids) {
      if (seqOf({ id }) >= seqOf(sent) || done.has(id) || lost.has(id) || overtaken.has(id)) continue;
      overtaken.add(id);
      const tries = before.filter((one) => one.id === id && one.outcome !== 'ours');
      expect(tries.length, `${sent.id} overtook ${id}, which was never tried`).toBeGreaterThan(0);
      const [first] = tries;
      // What never left has used up a step of the schedule as well.
      const steps = before.filter((one) => one.id === id).length;
      const budgetEndsAt = failingSince(before, first?.ended ?? 0) + blockBudgetMs;
      // Whoever is due again only after the budget is not waited for.
      const isDueLate = steps > 1 || (first?.at ?? 0) + firstRetryMs >= budgetEndsAt;
      const leftMs = budgetEndsAt - sent.at;
      expect(isDueLate || leftMs <= 0, `${sent.id} overtook ${id} with ${leftMs} ms left`).toBe(true);
    }
  }
}

/** When the lane had begun to fail that was failing at that moment. */
function failingSince(sends: readonly Sent[], moment: number): number {
  const ended = sends.filter((sent) => sent.ended <= moment).toSorted((a, b) => a.ended - b.ended);
  const success = ended.findLast(({ outcome }) => outcome === 'success')?.ended ?? -1;
  const failing = ended.filter((sent) => sent.ended > success && sent.outcome !== 'ours');
  return Math.min(...failing.map(({ at }) => at));
}

describe('whatever happens', () => {
  it('every event is delivered or declared, numbers rise, lanes keep their order', async () => {
    const sum = { crashes: 0, database: 0, failures: 0, events: 0, repeated: 0 };
    const run = async (steps: readonly Step[], seed: number, profile: RetryProfile) => {
      const { world, fired } = await play(steps, seed, profile);
      const lost = lostIds(world);
      const accepted = new Set(world.receivers.accepted());
      const missing = [...world.feed.records.values()].filter(({ id }) => !accepted.has(id) && !lost.has(id));
      expect(missing.map(({ id }) => id)).toEqual([]);
      expect(isDone(world)).toBe(true);
      checkNumbers(world);
      if (profile === 'durable') checkOrder(world);
      expect(world.clock.pending).toBe(0);
      sum.crashes += fired.crashes;
      sum.database += fired.database;
      sum.failures += fired.failures;
      sum.events += world.feed.head();
      sum.repeated += world.receivers.sent.length - accepted.size;
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }),
        fc.integer(),
        fc.constantFrom<RetryProfile>('durable', 'realtime'),
        run,
      ),
      { numRuns: 40 },
    );
    for (const [what, count] of Object.entries(sum)) expect(count, what).toBeGreaterThan(50);
  }, 180_000);

  it('every replay that was promised is sent, under numbers of its own', async () => {
    const sum = { crashes: 0, database: 0, failures: 0, replayed: 0 };
    const run = async (steps: readonly Step[], seed: number) => {
      const { world, fired, replayed } = await play(steps, seed, 'durable');
      const promised = replayed.reduce((total: number, events) => total + (events ?? 0), 0);
      const ended = world.receivers.sent.filter(({ outcome }) => outcome === 'success').length;
      expect(ended + lostIds(world).size).toBeGreaterThanOrEqual(world.feed.head() + promised);
      expect(isDone(world)).toBe(true);
      checkNumbersDiffer(world);
      expect(world.clock.pending).toBe(0);
      sum.crashes += fired.crashes;
      sum.database += fired.database;
      sum.failures += fired.failures;
      sum.replayed += promised;
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(replayOrStep, { minLength: 10, maxLength: 60, size: 'max' }),
        fc.integer(),
        run,
      ),
      { numRuns: 40 },
    );
    for (const [what, count] of Object.entries(sum)) expect(count, what).toBeGreaterThan(50);
  }, 180_000);

  it('a replay does not repeat a number that only a process knew that died, however cleanly others ended since', async () => {
    const steps: readonly Step[] = [
      { kind: 'mood', failing: 0.4 },
      { kind: 'append', lane: 0, count: 11 },
      { kind: 'pass', ms: 40_000 },
      { kind: 'pass', ms: 100 },
      { kind: 'crash' },
      { kind: 'append', lane: 0, count: 1 },
      { kind: 'mood', failing: 0 },
      { kind: 'turns' },
      { kind: 'crash' },
      { kind: 'pass', ms: 100 },
      { kind: 'restart' },
      { kind: 'append', lane: 0, count: 1 },
      { kind: 'replay', after: 0 },
    ];
    const { world, replayed } = await play(steps, 2126512106, 'durable');
    expect(replayed).toEqual([12]);
    checkNumbersDiffer(world);
  });
});
