// Names to addresses by the system's own resolver, so that /etc/hosts and local zones count. Never judges an address.
import { lookup } from 'node:dns/promises';
import type { Clock } from '../../../runtime/clock.ts';
import { systemClock } from '../../../runtime/clock.ts';

/** The addresses behind a name, in the order to try them. Rejects with the resolver's error, which has a `code`. */
export type Lookup = (hostname: string) => Promise<readonly { readonly address: string }[]>;

export interface SystemLookupDeps {
  readonly clock?: Clock;
  readonly resolve?: Lookup;
}

/** Name servers that are there answer in a fraction of it, those that are not let the resolver wait for many times of it. */
const quickMs = 1_000;

/** More names than one relay is likely to have; beyond that the one that was quick longest ago counts as unknown again. */
const maxQuick = 4_096;

const resolveAll: Lookup = (hostname) => lookup(hostname, { all: true, verbatim: true });

/**
 * The system's resolver has two threads for the whole process (libuv, half of four), and a name whose server keeps silent
 * occupies one for ten seconds and more. Two such receivers would keep everybody's names waiting for ever: the platform's,
 * the database's, those of all other receivers. So one question at a time per name, and whoever asks meanwhile gets the
 * same answer; and names whose last answer was not quick, or that were never asked, wait in line for a single thread.
 */
export function systemLookup({ clock = systemClock, resolve = resolveAll }: SystemLookupDeps = {}): Lookup {
  const underWay = new Map<string, ReturnType<Lookup>>();
  const quick = new Set<string>();
  let line: Promise<unknown> = Promise.resolve();

  const learn = (hostname: string, tookMs: number): void => {
    quick.delete(hostname);
    if (tookMs >= quickMs) return;
    quick.add(hostname);
    const [oldest] = quick;
    if (quick.size > maxQuick && oldest !== undefined) quick.delete(oldest);
  };
  const ask: Lookup = async (hostname) => {
    const askedAt = clock.now();
    try {
      return await resolve(hostname);
    } finally {
      learn(hostname, clock.now() - askedAt);
    }
  };
  const askInTurn: Lookup = (hostname) => {
    const asked = line.then(() => ask(hostname));
    line = asked.catch(() => undefined);
    return asked;
  };

  return (hostname) => {
    const known = underWay.get(hostname);
    if (known) return known;
    const answer = quick.has(hostname) ? ask(hostname) : askInTurn(hostname);
    const asked = answer.finally(() => underWay.delete(hostname));
    underWay.set(hostname, asked);
    return asked;
  };
}
