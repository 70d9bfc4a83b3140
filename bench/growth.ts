// `npm run bench:growth`: what a delivery costs with more consumers, and an event with more topics and interests.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { consumersCurve, interestsCurve, topicsCurve } from './growth/curves.ts';
import type { Growth } from './growth/curves.ts';
import { localPostgres } from './kit/flags.ts';
import { svgOf } from './kit/plot.ts';
import { runProgram } from './kit/program.ts';
import { rounded } from './kit/statistics.ts';
import { asTable } from './kit/table.ts';

const numbers = {
  rounds: { default: 3, min: 1, max: 100, what: 'rounds for each point' },
  plot: { default: 0, min: 0, max: 1, what: '1 draws docs/growth-*.svg anew' },
} as const;

const docs = join(import.meta.dirname, '..', 'docs');
const last = ({ points }: Growth) => points.at(-1)?.[1] ?? Number.NaN;
const first = ({ points }: Growth) => points[0]?.[1] ?? Number.NaN;
const growthOf = (curve: Growth) => rounded(last(curve) / first(curve), 2);
const named = (curves: readonly Growth[], name: Growth['name']) => {
  const curve = curves.find((each) => each.name === name);
  if (!curve) throw new Error(`there is no curve ${name}`);
  return curve;
};

await runProgram({
  flags: {
    name: 'growth',
    about: 'The processor time of a delivery by consumers, and of an event by topics and by interests.',
    numbers,
    defaultDatabaseUrl: localPostgres,
  },
  async measure(options, deps, closing): Promise<Growth[]> {
    const curves = [
      await consumersCurve({ ...deps, options }),
      await topicsCurve({ ...deps, options }, closing),
      await interestsCurve({ ...deps, options }, closing),
    ];
    if (options.plot === 1)
      for (const { name, title, x, y, points } of curves)
        await writeFile(
          join(docs, `growth-${name}.svg`),
          svgOf({ title, x, y, curves: [{ name: 'relay', points }] }),
        );
    return curves;
  },
  line: (curves) => ({
    fanout_growth: growthOf(named(curves, 'consumers')),
    topics_growth: growthOf(named(curves, 'topics')),
    interests_growth: growthOf(named(curves, 'interests')),
    lost: curves.reduce((sum, { lost }) => sum + lost, 0),
  }),
  render: (curves) =>
    curves
      .map((curve) =>
        asTable([
          [curve.x, curve.y],
          ...curve.points.map(([x, y]) => [x.toLocaleString('en'), rounded(y, 2).toFixed(2)]),
          ['last / first', growthOf(curve).toFixed(2)],
        ]),
      )
      .join('\n\n'),
  lost: (curves) => curves.reduce((sum, { lost }) => sum + lost, 0),
});
