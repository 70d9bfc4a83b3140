// Plays every kind of fault on a stage, one after another, and has each judged. A stage that a fault has ruined is replaced,
// so that one defect does not hide the others.
import type { DatabaseKind, FaultKind, Played, Row, Verdict } from './contract.ts';
import { shuffled } from './happenings.ts';
import { ScratchPostgres } from './own-postgres.ts';
import { openStage, seeded, type FaultStage } from './stage.ts';

export interface RunOptions {
  readonly kinds: readonly FaultKind[];
  readonly databases: readonly DatabaseKind[];
  readonly seeds: readonly number[];
  /** Faults last as long as they do in life. */
  readonly isLong: boolean;
  /** Happenings; the stage's own pace when left out. */
  readonly perSecond?: number | undefined;
  readonly onRow: (row: Row) => void;
  readonly say: (line: string) => void;
  /** What is open at the moment: for whoever has to leave in the middle. */
  readonly open: Set<AsyncDisposable>;
}

/** A kind that waits for ever is a kind that failed. */
const playWithinMs = 60_000;
/** The load before each fault, so that it strikes in the middle of things. */
const warmUpMs = 250;

const nothing: Verdict = {
  sent: 0,
  logged: 0,
  lost: 0,
  undeclared: 0,
  unmarkedDuplicates: 0,
  markedDuplicates: 0,
  disordered: 0,
  gaps: 0,
  gapMs: 0,
  tooWide: 0,
  findings: [],
};

export async function playAll(options: RunOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const database of options.databases) {
    const postgres = database === 'postgres' ? await ScratchPostgres.open() : null;
    if (postgres) options.open.add(postgres);
    try {
      for (const seed of options.seeds) {
        for (const row of await playSeed(options, { database, seed, postgres })) rows.push(row);
      }
    } finally {
      if (postgres) await close(postgres, options);
    }
  }
  return rows;
}

interface Where {
  readonly database: DatabaseKind;
  readonly seed: number;
  readonly postgres: ScratchPostgres | null;
}

async function close(thing: AsyncDisposable, { open }: RunOptions): Promise<void> {
  open.delete(thing);
  await thing[Symbol.asyncDispose]();
}

async function playSeed(options: RunOptions, where: Where): Promise<Row[]> {
  const { kinds, onRow, say } = options;
  const { database, seed } = where;
  const fitting = shuffled(
    kinds.filter(({ databases }) => databases.includes(database)),
    seeded(seed),
  );
  say(`${database}, seed ${seed}: ${fitting.map(({ name }) => name).join(', ')}`);
  const rows: Row[] = [];
  let stage: FaultStage | undefined;
  try {
    for (const kind of fitting) {
      const row = await playOne(kind, where, async () => {
        stage ??= await openStage({
          ...where,
          isLong: options.isLong,
          ...(options.perSecond === undefined ? {} : { perSecond: options.perSecond }),
        });
        options.open.add(stage);
        return stage;
      });
      rows.push(row);
      onRow(row);
      if (row.error === null && row.recoveredMs !== null) continue;
      for (const line of stage?.relay.noise.slice(-5) ?? []) say(`  relay: ${line}`);
      if (stage) await close(stage, options);
      stage = undefined;
    }
  } finally {
    if (stage) await close(stage, options);
  }
  return rows;
}

async function playOne(
  kind: FaultKind,
  { database, seed }: Where,
  theStage: () => Promise<FaultStage>,
): Promise<Row> {
  const about = { fault: kind.name, group: kind.group, database, seed };
  const startedAt = Date.now();
  let fired = 0;
  try {
    const stage = await theStage();
    stage.begin();
    await stage.lasts(warmUpMs);
    const { played, error: refusal } = await play(kind, stage);
    fired = played.fired;
    const settled = await stage.settle(kind, played);
    return {
      ...about,
      ...settled.verdict,
      fired,
      recoveredMs: settled.recoveredMs,
      error: refusal ?? settled.error,
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      ...about,
      ...nothing,
      fired,
      recoveredMs: null,
      error: `after ${Date.now() - startedAt} ms: ${why}`,
    };
  }
}

/** A kind that could not be played is judged all the same: what it did do must not have cost anything. */
async function play(kind: FaultKind, stage: FaultStage): Promise<{ played: Played; error: string | null }> {
  const from = Date.now();
  let late: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    late = setTimeout(() => reject(new Error(`it was not over after ${playWithinMs} ms`)), playWithinMs);
  });
  try {
    return { played: await Promise.race([kind.play(stage), tooLate]), error: null };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { played: { fired: 0, from, to: Date.now() }, error: why };
  } finally {
    clearTimeout(late);
  }
}
