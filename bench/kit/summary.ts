// Rounds of one contender: the middle one and the spread, as figures and as a person reads them. Pure.
import { median, rounded } from './statistics.ts';

export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
}

/** NaN of none. */
export const summaryOf = (values: readonly number[], digits = 0): Summary => ({
  median: rounded(median(values), digits),
  min: rounded(Math.min(...values), digits),
  max: rounded(Math.max(...values), digits),
  rounds: values.length,
});

export const figure = (value: number | null | undefined): string =>
  value === null || value === undefined || !Number.isFinite(value) ? '–' : value.toLocaleString('en');

/** `12,300 (11,900–12,800)` */
export const spread = ({ median: middle, min, max }: Summary): string =>
  `${figure(middle)} (${figure(min)}–${figure(max)})`;

/** Of one processor, between two readings of its time; undefined where the system does not tell. */
export const share = (
  from: number | undefined,
  to: number | undefined,
  seconds: number,
): number | undefined =>
  from === undefined || to === undefined || seconds <= 0 ? undefined : (to - from) / seconds;

export const percent = (value: number | undefined): string =>
  value === undefined ? 'unknown' : `${Math.round(value * 100)} %`;
