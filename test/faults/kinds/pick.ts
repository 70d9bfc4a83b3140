// Choosing by the run's seed. Nothing else may decide what a fault hits.
import type { Stage } from '../contract.ts';

export function anyOf<T>({ random }: Pick<Stage, 'random'>, items: readonly T[]): T {
  const found = items[Math.floor(random() * items.length)];
  if (found === undefined) throw new Error('there is nothing to choose from');
  return found;
}
