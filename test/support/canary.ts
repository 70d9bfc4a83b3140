// Every secret of a test is a canary: none of them may be in any line that the relay logs. One pass over the lines,
// whatever the number of secrets, and wherever in a line they are.
import { Ids } from '../simulator/ids.ts';

/** Shorter ones could be in a line by chance. */
const shortest = 12;
/** Tokens, codes and device codes of the simulator; what it makes shorter is typed in by people or names a session. */
const shortestIssued = 30;

const issued = new Set<string>();
const { token: makeToken } = Object.getOwnPropertyDescriptors(Ids.prototype);
/** What any simulator of this process hands out, by whatever way a test or the relay comes to it. */
Ids.prototype.token = function token(this: Ids, length?: number): string {
  const made = makeToken.value?.call(this, length) ?? '';
  if (made.length >= shortestIssued) issued.add(made);
  return made;
};

/** Members of answers that hand out a secret, and the state in the link that somebody opens in a browser. */
const handedOut =
  /"(client_secret|ws_token|webhook_secret|access_token|refresh_token)"\s*:\s*"([^"\\]+)"|[?&](state)=([\w-]+)/g;

export interface Leak {
  /** What kind of secret it is. */
  readonly what: string;
  /** With the secret masked. */
  readonly line: string;
}

export class Canary {
  readonly #secrets = new Map<string, string>();
  readonly #harmless: ReadonlySet<string>;

  /** `harmless`: what the simulator makes like a token and everybody may know. */
  constructor(harmless: readonly string[] = []) {
    this.#harmless = new Set(harmless);
  }

  /** Settings that are secrets; a list of keys counts as each of them. */
  learnSettings(env: Readonly<Record<string, string>>): void {
    for (const name of ['ADMIN_API_KEY', 'TOKEN_ENCRYPTION_KEY', 'TWITCH_CLIENT_SECRET'])
      for (const value of (env[name] ?? '').split(',')) this.add(name, value.trim());
  }

  /** Whatever an answer of the relay hands out. */
  learnAnswer(text: string): void {
    for (const [, member, value, parameter, inLink] of text.matchAll(handedOut))
      this.add(member ?? parameter ?? '', value ?? inLink ?? '');
  }

  add(what: string, secret: string): void {
    if (secret.length < shortest || this.#harmless.has(secret)) return;
    this.#secrets.set(secret, what);
    // As it looks in a query.
    if (encodeURIComponent(secret) !== secret) this.#secrets.set(encodeURIComponent(secret), what);
  }

  get size(): number {
    return this.#secrets.size;
  }

  leaks(lines: Iterable<string>): Leak[] {
    for (const token of issued) this.add('a token of the platform', token);
    const starts = new Map<number, string[]>();
    for (const secret of this.#secrets.keys()) {
      const hash = hashOf(secret, 0);
      starts.set(hash, [...(starts.get(hash) ?? []), secret]);
    }
    const found: Leak[] = [];
    for (const line of lines) {
      const secret = firstOf(line, starts);
      if (secret !== undefined)
        found.push({
          what: this.#secrets.get(secret) ?? '',
          line: line.replaceAll(secret, '[SECRET]').slice(0, 500),
        });
    }
    return found;
  }

  /** Throws naming the lines, so that a test which looked for something else fails as well. */
  assertSilent(lines: Iterable<string>): void {
    const leaks = this.leaks(lines);
    if (leaks.length === 0) return;
    const told = leaks.slice(0, 5).map(({ what, line }) => `  ${what}: ${line}`);
    throw new Error(`${leaks.length} log lines hold a secret:\n${told.join('\n')}`);
  }
}

// A rolling hash over as many characters as the shortest secret has (Rabin and Karp), in 32 bits.
const base = 31;
let leading = 1;
for (let i = 1; i < shortest; i++) leading = Math.imul(leading, base);

function hashOf(text: string, from: number): number {
  let hash = 0;
  for (let at = from; at < from + shortest; at++) hash = (Math.imul(hash, base) + text.charCodeAt(at)) | 0;
  return hash;
}

function firstOf(line: string, starts: ReadonlyMap<number, readonly string[]>): string | undefined {
  if (line.length < shortest) return undefined;
  let hash = hashOf(line, 0);
  for (let at = 0; ; at++) {
    const hit = starts.get(hash)?.find((secret) => line.startsWith(secret, at));
    if (hit !== undefined) return hit;
    if (at + shortest >= line.length) return undefined;
    const without = (hash - Math.imul(line.charCodeAt(at), leading)) | 0;
    hash = (Math.imul(without, base) + line.charCodeAt(at + shortest)) | 0;
  }
}
