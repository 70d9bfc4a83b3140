// Times and numbers for people. Pure.

const units = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
] as const;

/** `3 h`, rounded down; below a second `0 s`. */
export function duration(ms: number): string {
  const seconds = Math.floor(Math.abs(ms) / 1_000);
  for (const [size, unit] of units) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  return '0 s';
}

/** `3 h ago`, `in 5 min`; a dash for null. `iso`: RFC 3339. `nowMs`: milliseconds since the epoch. */
export function relative(iso: string | null, nowMs: number): string {
  if (iso === null) return '–';
  const at = Date.parse(iso);
  if (Number.isNaN(at)) return iso;
  if (Math.abs(at - nowMs) < 1_000) return 'now';
  return at <= nowMs ? `${duration(nowMs - at)} ago` : `in ${duration(at - nowMs)}`;
}

/** The time of day in UTC, for lines that follow one another. */
export const timeOfDay = (iso: string): string =>
  /T(?<time>\d\d:\d\d:\d\d)/u.exec(iso)?.groups?.['time'] ?? iso;

/** `1 bot`, `2 bots`. */
export const count = (number: number, one: string, many = `${one}s`): string =>
  `${number} ${number === 1 ? one : many}`;
