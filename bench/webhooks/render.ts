// The result as a person reads it. Pure.
import { detailsOf } from './result.ts';
import type { Measured, Shares } from './result.ts';

export function render(measured: Measured): string {
  const details = detailsOf(measured);
  const { burst, paced, setting, shares, pacedPerSecond } = measured;
  const generated = burst.sent.length / Math.max(details.generatorSeconds, 0.001);
  const lines: readonly (readonly [string, string])[] = [
    [
      'setting',
      `${setting.broadcasters} broadcasters, one endpoint, ${setting.concurrency} requests at once, PostgreSQL ${setting.database}`,
    ],
    [
      'burst',
      `${count(burst.sent.length)} events in ${details.seconds} s: ${count(details.per_second)} per second`,
    ],
    ['generator', `${details.generatorSeconds} s to send them: ${count(Math.round(generated))} per second`],
    ['processors', `${sharesText(shares)} (of one each, during the burst)`],
    [
      'paced',
      `${count(paced.sent.length)} events at ${pacedPerSecond} per second: ` +
        `p50 ${ms(details.p50_ms)}, p99 ${ms(details.p99_ms)}, at most ${ms(details.maxMs)}`,
    ],
    [
      'requests',
      `${count(details.requests)} for ${count(details.delivered)} of ${count(details.sent)} events; ` +
        `declared ${details.declared}, lost ${details.lost}`,
    ],
  ];
  return lines.map(([name, text]) => `${name.padEnd(12)}${text}`).join('\n');
}

const count = (value: number): string => value.toLocaleString('en');
const ms = (value: number | null): string => (value === null ? '–' : `${value} ms`);
const percent = (share: number | undefined): string =>
  share === undefined ? 'unknown' : `${Math.round(share * 100)} %`;
const sharesText = ({ relay, receiver, generator }: Shares): string =>
  `relay ${percent(relay)}, receiver ${percent(receiver)}, generator ${percent(generator)}`;
