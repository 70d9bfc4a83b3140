// The events sent and not yet acknowledged, as sequence numbers in order. Immutable, pure.

export interface SentWindow {
  readonly seqs: readonly number[];
  /** Entries before this one are acknowledged; they are cut off at the next push, so that an ack copies nothing. */
  readonly from: number;
}

export const emptyWindow: SentWindow = { seqs: [], from: 0 };

export const windowSize = (window: SentWindow): number => window.seqs.length - window.from;

export function push(window: SentWindow, seqs: readonly number[]): SentWindow {
  if (seqs.length === 0) return window;
  if (windowSize(window) === 0) return { seqs, from: 0 };
  return { seqs: [...window.seqs.slice(window.from), ...seqs], from: 0 };
}

/** Everything up to `seq` is done. */
export function acknowledge(window: SentWindow, seq: number): SentWindow {
  let low = window.from;
  let high = window.seqs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((window.seqs[middle] ?? Infinity) <= seq) low = middle + 1;
    else high = middle;
  }
  if (low === window.from) return window;
  return low === window.seqs.length ? emptyWindow : { seqs: window.seqs, from: low };
}
