// Long computations beside sockets that must not wait: done in slices, with a turn of the event loop between two of them.
// What is computed is a generator, so that the computation itself stays pure and knows nothing of time.

/** A keepalive, an answer or an acknowledgement may be late by so much, and nobody takes it for silence. */
export const sliceMs = 10;
/** Items between two places where a computation may be interrupted: a small part of a slice. */
export const itemsPerStep = 500;

/** A computation that may be left alone for a while at each `yield`. */
export type Steps<T> = Generator<void, T, void>;

export async function inSlices<T>(steps: Steps<T>, now: () => number = () => performance.now()): Promise<T> {
  let began = now();
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (now() - began < sliceMs) continue;
    await new Promise((resolve) => setImmediate(resolve));
    began = now();
  }
}

export function* inSteps<T>(items: Iterable<T>, each: (item: T) => void): Steps<void> {
  let count = 0;
  for (const item of items) {
    each(item);
    if (++count % itemsPerStep === 0) yield;
  }
}
