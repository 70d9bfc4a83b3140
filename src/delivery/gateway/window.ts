// The events sent and not yet acknowledged, as sequence numbers in order. Pure: no value that was given out ever changes.
// It is asked for every delivery, so neither an acknowledgement nor a push copies what is outstanding.

export interface SentWindow {
  /** Those in [from, to) are outstanding. What lies before was acknowledged, what lies behind belongs to a later window. */
  readonly seqs: readonly number[];
  readonly from: number;
  readonly to: number;
  /** `seqs`, where the windows of this connection alone share it and it may grow behind `to`. */
  readonly own: number[] | null;
}

export const emptyWindow: SentWindow = { seqs: [], from: 0, to: 0, own: null };

/** So many acknowledged ones may stay in front before the rest is copied. */
const slack = 256;

export const windowSize = ({ from, to }: SentWindow): number => to - from;

/** `seqs` may be shared with others, and is not written into. */
export function push(window: SentWindow, seqs: readonly number[]): SentWindow {
  if (seqs.length === 0) return window;
  if (windowSize(window) === 0) return { seqs, from: 0, to: seqs.length, own: null };
  const mayGrow = window.own?.length === window.to && window.from <= slack;
  const own = mayGrow ? window.own : window.seqs.slice(window.from, window.to);
  const from = mayGrow ? window.from : 0;
  for (const seq of seqs) own.push(seq);
  return { seqs: own, from, to: own.length, own };
}

/** Everything up to `seq` is done. */
export function acknowledge(window: SentWindow, seq: number): SentWindow {
  let low = window.from;
  let high = window.to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((window.seqs[middle] ?? Infinity) <= seq) low = middle + 1;
    else high = middle;
  }
  if (low === window.from) return window;
  if (low === window.to) return emptyWindow;
  return { seqs: window.seqs, from: low, to: window.to, own: window.own };
}
