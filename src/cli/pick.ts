// Finding a thing by the name or id that a person typed. Pure; whoever has no match is told the nearest ones.
import { nearestNames } from '../domain/edit-distance.ts';
import { CliFailure } from './failure.ts';

export interface Named {
  readonly id: string;
  readonly name: string;
  /** Other words for it, such as a login. */
  readonly aliases?: readonly string[];
}

/** Enough to see a typing error, few enough to read. */
const suggestions = 3;

/**
 * The one thing whose id or name this is; else whose name is this but for upper case, an alias, or the beginning of its id
 * (at least 4 characters). Throws a CliFailure that lists candidates when there are several or none.
 */
export function pick<T>(things: readonly T[], given: string, what: string, named: (thing: T) => Named): T {
  const lower = given.toLowerCase();
  const rounds: ((each: Named) => boolean)[] = [
    ({ id }) => id === given,
    ({ name }) => name === given,
    ({ name }) => name.toLowerCase() === lower,
    ({ aliases = [] }) => aliases.some((alias) => alias.toLowerCase() === lower),
    ({ id }) => given.length >= 4 && id.startsWith(lower),
  ];
  for (const matches of rounds) {
    const found = things.filter((thing) => matches(named(thing)));
    const [only] = found;
    if (only !== undefined && found.length === 1) return only;
    if (found.length > 1) throw ambiguous(what, given, found.map(named));
  }
  throw unknown(what, given, things.map(named));
}

function ambiguous(what: string, given: string, found: readonly Named[]): CliFailure {
  const list = found.map(({ name, id }) => `${name} (${id})`).join(', ');
  return new CliFailure('failed', `"${given}" could be more than one ${what}: ${list}.`, 'Give the id.');
}

function unknown(what: string, given: string, things: readonly Named[]): CliFailure {
  const message = `There is no ${what} "${given}".`;
  if (things.length === 0) return new CliFailure('failed', message, `There is no ${what} at all yet.`);
  const names = [...new Set(things.flatMap(({ name, aliases = [] }) => [name, ...aliases]))];
  const near = nearestNames(given, names, suggestions);
  return new CliFailure('failed', message, `The nearest: ${near.join(', ')}.`);
}
