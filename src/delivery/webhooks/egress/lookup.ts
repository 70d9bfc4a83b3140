// Names to addresses by the system's own resolver, so that /etc/hosts and local zones count. Never judges an address.
import { lookup } from 'node:dns/promises';

/** The addresses behind a name, in the order to try them. Rejects with the resolver's error, which has a `code`. */
export type Lookup = (hostname: string) => Promise<readonly { readonly address: string }[]>;

/**
 * One question at a time per name: whoever asks meanwhile gets the same answer. The system's resolver occupies one of
 * the process's few worker threads for as long as a name server keeps silent, and files are read on those threads too; a
 * receiver with a dead name server and many requests under way must not take them all.
 */
export function systemLookup(
  resolve: Lookup = (hostname) => lookup(hostname, { all: true, verbatim: true }),
): Lookup {
  const underWay = new Map<string, ReturnType<Lookup>>();
  return (hostname) => {
    const known = underWay.get(hostname);
    if (known) return known;
    const asked = resolve(hostname).finally(() => underWay.delete(hostname));
    underWay.set(hostname, asked);
    return asked;
  };
}
