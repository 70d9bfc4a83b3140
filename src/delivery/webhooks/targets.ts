// Where the URLs of endpoints lead, as a request needs it. What was read is kept: reading a URL takes longer than anything
// else in making a request. It judges no address; that is done when a connection is made.

/** More endpoints than one relay is likely to have; beyond that the oldest URL is read anew. */
const maxTargets = 1_024;

export interface Target {
  readonly origin: string;
  readonly path: string;
  /** `http:` or `https:`. */
  readonly protocol: string;
  readonly hostname: string;
  /** Empty for the protocol's own. */
  readonly port: string;
  /** As the header has it. */
  readonly host: string;
}

export class Targets {
  readonly #known = new Map<string, Target>();

  /** Undefined for what is not called: no URL, another scheme than http and https, a user name or a password. */
  of(url: string): Target | undefined {
    const known = this.#known.get(url);
    if (known) return known;
    const target = readTarget(url);
    if (!target) return undefined;
    const [oldest] = this.#known.keys();
    if (this.#known.size >= maxTargets && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(url, target);
    return target;
  }
}

const callableSchemes: ReadonlySet<string> = new Set(['http:', 'https:']);

function readTarget(text: string): Target | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (!callableSchemes.has(url.protocol) || url.username || url.password) return undefined;
  const { origin, protocol, hostname, port, host } = url;
  return { origin, path: url.pathname + url.search, protocol, hostname, port, host };
}
