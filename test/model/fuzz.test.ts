// Every target of the fuzzing (npm run fuzz) with a few hundred inputs and a fixed seed: nothing crashes, hangs or answers
// 500, and what is right is taken while what is wrong is turned away.
import { describe, expect, it } from 'vitest';
import { targets } from '../fuzz/targets.ts';

const seed = 20_261_121;
/** Inputs for a target; those on real sockets take the whole daemon each. */
const pieces = { pure: 300, live: 80 };

describe('generated input', () => {
  it.each(targets.map((target) => [target.name, target] as const))(
    '%s',
    { timeout: 30_000 },
    async (_name, target) => {
      const played = await target.play({ pieces: pieces[target.kind], seed });
      expect(played.failure).toBeNull();
      expect(played).toMatchObject({ crashes: 0, hangs: 0, serverFaults: 0 });
      expect(played.inputs).toBeGreaterThanOrEqual(pieces[target.kind] / 2);
    },
  );

  it('names every target once', () => {
    expect(new Set(targets.map(({ name }) => name)).size).toBe(targets.length);
  });
});
