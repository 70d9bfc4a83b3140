// One thing that the doctor looked at, and how it is told. Pure.
import { printable, type Style } from '../style.ts';

export type FindingStatus = 'ok' | 'warning' | 'failed';

export interface Finding {
  readonly name: string;
  /** The bot that it is about. */
  readonly bot: string | null;
  readonly status: FindingStatus;
  readonly detail: string;
  readonly advice: string | null;
}

export const finding = (
  name: string,
  status: FindingStatus,
  detail: string,
  advice: string | null = null,
): Finding => ({ name, bot: null, status, detail, advice });

const marks = {
  ok: (style: Style) => style.green('✓'),
  warning: (style: Style) => style.yellow('!'),
  failed: (style: Style) => style.red('✗'),
} as const satisfies Record<FindingStatus, (style: Style) => string>;

/** A line for the finding and one for what to do about it. */
export function findingText({ name, bot, status, detail, advice }: Finding, style: Style): string {
  const about = printable(bot === null ? name : `${bot}: ${name}`);
  const line = `${marks[status](style)} ${style.bold(about)}  ${printable(detail)}`;
  return advice === null ? line : `${line}\n    → ${printable(advice)}`;
}

/** `failed` as soon as one is. */
export function worst(findings: readonly Finding[]): FindingStatus {
  if (findings.some(({ status }) => status === 'failed')) return 'failed';
  return findings.some(({ status }) => status === 'warning') ? 'warning' : 'ok';
}
