// A computation in steps, done without leaving it alone: for tests of what it answers.
import type { Steps } from '../faults/slices.ts';

export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}
