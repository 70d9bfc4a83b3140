// How many log-ins may fail. Decides, with the time passed in; looks nothing up, waits for nothing and knows no secret,
// only names that stand for them.
//
// Three fences stand one behind the other, each with its own allowance: one secret, one account and one address, as seen
// from that address. A failure is taken from all three; what a narrow fence stops reaches no wider one. So a program that
// repeats a wrong secret uses up its own allowance and hardly any of its neighbours'.
import { createHash } from 'node:crypto';

export type FenceName = 'secret' | 'account' | 'address';

/** `burst` failures at once, and one more every `refillMs`: never more than burst + t / refillMs within t. */
export interface Fence {
  readonly burst: number;
  readonly refillMs: number;
}

export interface ThrottleOptions {
  readonly fences: Readonly<Record<FenceName, Fence>>;
  /** Names with failures that are remembered; beyond it the one that failed longest ago is forgotten. */
  readonly maxNames: number;
  /** Right credentials that are remembered. */
  readonly maxKnown: number;
}

export const throttleDefaults: ThrottleOptions = {
  fences: {
    // Once for the mistake, twice for a client that tries again before it gives up.
    secret: { burst: 3, refillMs: 30_000 },
    // Somebody who pastes, looks, and pastes again.
    account: { burst: 10, refillMs: 10_000 },
    // Refills faster than thirty programs with a wrong secret can use it up, and far too slowly to guess 256 bits.
    address: { burst: 100, refillMs: 1_000 },
  },
  // Some megabytes each, if somebody tries to fill them.
  maxNames: 30_000,
  maxKnown: 10_000,
};

/** A claim's names, the narrow before the wide. Opaque; no secret can be read from them. */
export type LoginNames = Readonly<Record<FenceName, string>>;

export type Decision =
  | { readonly kind: 'look_up' }
  /** As many are being looked up as may still fail: decide anew when one of this name has settled. */
  | { readonly kind: 'wait'; readonly name: string }
  /** `first`: this name was not being limited until now. */
  | {
      readonly kind: 'refuse';
      readonly fence: FenceName;
      readonly retryAfterMs: number;
      readonly first: boolean;
    };

interface Allowance {
  /** Until everything that was used up has come back, as of `asOf`. */
  backInMs: number;
  asOf: number;
  told: boolean;
}

const narrowFirst: readonly FenceName[] = ['secret', 'account', 'address'];

export class LoginThrottle {
  readonly #options: ThrottleOptions;
  /** In the order of their last failure. A name that is missing has its whole allowance. */
  readonly #allowances = new Map<string, Allowance>();
  /** Names of secrets that were right, in the order of their last use. */
  readonly #known = new Set<string>();
  readonly #inFlight = new Map<string, number>();

  constructor(options: ThrottleOptions = throttleDefaults) {
    this.#options = options;
  }

  /** Every `look_up` must be followed by one `settle` with the same names. */
  decide(names: LoginNames, now: number): Decision {
    if (!this.#known.has(names.secret)) {
      for (const fence of narrowFirst) {
        const verdict = this.#judge(fence, names[fence], now);
        if (verdict) return verdict;
      }
    }
    for (const fence of narrowFirst) this.#count(names[fence], 1);
    return { kind: 'look_up' };
  }

  /** `unknown`: the look-up gave no answer. */
  settle(names: LoginNames, outcome: 'right' | 'wrong' | 'unknown', now: number): void {
    for (const fence of narrowFirst) {
      this.#count(names[fence], -1);
      if (outcome === 'wrong') this.#spend(fence, names[fence], now);
    }
    if (outcome === 'unknown') return;
    this.#known.delete(names.secret);
    if (outcome === 'right') {
      this.#known.add(names.secret);
      forgetOldest(this.#known, this.#options.maxKnown);
    }
  }

  /** How much is remembered. */
  get size(): { readonly names: number; readonly known: number; readonly inFlight: number } {
    return { names: this.#allowances.size, known: this.#known.size, inFlight: this.#inFlight.size };
  }

  #judge(fence: FenceName, name: string, now: number): Decision | undefined {
    const { burst, refillMs } = this.#options.fences[fence];
    const allowance = this.#allowances.get(name);
    const backInMs = allowance ? remaining(allowance, now) : 0;
    if (allowance && backInMs === 0) this.#allowances.delete(name);
    const retryAfterMs = backInMs - (burst - 1) * refillMs;
    if (allowance && retryAfterMs > 0) {
      const first = !allowance.told;
      allowance.told = true;
      return { kind: 'refuse', fence, retryAfterMs, first };
    }
    const isTaken = retryAfterMs + (this.#inFlight.get(name) ?? 0) * refillMs > 0;
    return isTaken ? { kind: 'wait', name } : undefined;
  }

  #spend(fence: FenceName, name: string, now: number): void {
    const { burst, refillMs } = this.#options.fences[fence];
    const before = this.#allowances.get(name);
    const spentMs = before ? remaining(before, now) : 0;
    const backInMs = Math.min(spentMs + refillMs, burst * refillMs);
    this.#allowances.delete(name);
    this.#allowances.set(name, { backInMs, asOf: now, told: spentMs > 0 && (before?.told ?? false) });
    forgetOldest(this.#allowances, this.#options.maxNames);
  }

  #count(name: string, change: 1 | -1): void {
    const count = (this.#inFlight.get(name) ?? 0) + change;
    if (count > 0) this.#inFlight.set(name, count);
    else this.#inFlight.delete(name);
  }
}

/** Until the allowance is whole again. A clock that was set back gives nothing and takes nothing. */
function remaining(allowance: Allowance, now: number): number {
  allowance.backInMs = Math.max(0, allowance.backInMs - Math.max(0, now - allowance.asOf));
  allowance.asOf = now;
  return allowance.backInMs;
}

function forgetOldest(remembered: Map<string, unknown> | Set<string>, atMost: number): void {
  for (const oldest of remembered.keys()) {
    if (remembered.size <= atMost) return;
    remembered.delete(oldest);
  }
}

/** Names for a claim made from an address; `salt` is the process' own, so that they are of use nowhere else. */
export function loginNames(salt: string, address: string, account: string, secret: string): LoginNames {
  const digest = (...parts: readonly string[]) =>
    createHash('sha256')
      .update(JSON.stringify([salt, address, ...parts]))
      .digest('base64');
  return { secret: digest(account, secret), account: digest(account), address };
}
