// Who may come in, and how often they may be wrong. One door for requests and sockets: what fails at one counts at the
// other. Owns no socket; never reads a body, and never tells a credential to anybody.
import { randomBytes } from 'node:crypto';
import type { Cidr } from '../domain/cidr.ts';
import type { Checked, Door, Entry, Knock, LoginClaim, Visitor } from '../domain/visitor.ts';
import type { Clock } from '../runtime/clock.ts';
import { deferred, type Deferred } from '../runtime/deferred.ts';
import { clientAddress, countedAs, isIn } from './client-address.ts';
import {
  LoginThrottle,
  loginNames,
  throttleDefaults,
  type FenceName,
  type LoginNames,
  type ThrottleOptions,
} from './login-throttle.ts';

/** Longer than any call's parameters, shorter than what common proxies pass on. */
const maxTargetLength = 8 * 1024;
/** Browsers behind a few proxies send about thirty. */
const maxHeaders = 100;
/** Nothing of the relay's own is to be found there: whether it lives, and where Twitch sends browsers from anywhere. */
const openToAll: ReadonlySet<string> = new Set(['/health', '/oauth/callback']);
/** Addresses of which it was told that they were turned away. */
const maxToldAddresses = 1_000;
/** A look-up that takes longer is no longer counted as one that may fail, so that those behind it need not wait for it. */
const lookUpWithinMs = 10_000;
/** The shape of the client ids that the relay gives out: anything else may be a secret in the wrong place. */
const clientIdShape = /^svc_[0-9a-f]{20}$/;

/** Told of what is worth a counter or a log line. Never given a secret. Must not throw. */
export interface DoorObserver {
  /** A request or a socket was refused. Each time. */
  refused?(code: Extract<Entry, { ok: false }>['code'] | 'too_many_failed_logins'): void;
  /** A log-in was looked up and failed. Each time. */
  failedLogin?(kind: LoginClaim['kind']): void;
  /** Once per address, as long as it is remembered. */
  turnedAway?(address: string): void;
  /** From now on log-ins are refused without a look: once until it is over. `clientId` is null if it is none of ours. */
  limited?(what: { address: string; fence: FenceName; clientId: string | null; retryAfterMs: number }): void;
}

export interface DoorDeps {
  /** Who may come in; empty: everybody. */
  readonly allowed: readonly Cidr[];
  /** Proxies whose X-Forwarded-For is believed. */
  readonly trusted: readonly Cidr[];
  readonly clock: Clock;
  readonly observer?: DoorObserver;
  readonly throttle?: ThrottleOptions;
}

export function createDoor(deps: DoorDeps): Door {
  const { allowed, trusted, observer = {} } = deps;
  const logins = new Logins(deps);
  const told = new Set<string>();
  const refuse = (refusal: Extract<Entry, { ok: false }>): Entry => {
    observer.refused?.(refusal.code);
    return refusal;
  };
  return {
    enter(knock) {
      const address = clientAddress(knock.peer, knock.forwardedFor, trusted);
      const shown = address?.toString() ?? 'unknown';
      const isAllowed = allowed.length === 0 || (address !== undefined && isIn(allowed, address));
      if (!isAllowed && !isOpenToAll(knock)) {
        if (!told.has(shown) && told.size < maxToldAddresses) {
          told.add(shown);
          observer.turnedAway?.(shown);
        }
        const message = `requests from ${shown} are not allowed here; ALLOWED_CIDRS says which are`;
        return refuse({ ok: false, status: 403, code: 'address_not_allowed', message });
      }
      const excess = tooLarge(knock);
      if (excess) return refuse(excess);
      const counted = countedAs(address);
      const visitor: Visitor = {
        address: shown,
        logIn: (claim, lookUp, isRight) =>
          logins.run({ shown, counted, claim }, async () => {
            const answer = await lookUp();
            return { answer, isRight: isRight(answer) };
          }),
      };
      return { ok: true, visitor };
    },
  };
}

const isOpenToAll = ({ method, path }: Knock): boolean =>
  (method === 'GET' || method === 'HEAD') && openToAll.has(path);

function tooLarge({ targetLength, headerCount }: Knock): Extract<Entry, { ok: false }> | undefined {
  if (targetLength > maxTargetLength) {
    const message = `path and query are ${targetLength} characters long; at most ${maxTargetLength} are read`;
    return { ok: false, status: 414, code: 'url_too_long', message };
  }
  if (headerCount > maxHeaders) {
    const message = `${headerCount} headers were sent; at most ${maxHeaders} are read`;
    return { ok: false, status: 431, code: 'too_many_headers', message };
  }
  return undefined;
}

interface Attempt {
  readonly shown: string;
  readonly counted: string;
  readonly claim: LoginClaim;
}

/** The shell around the throttle: runs look-ups, and lets wait who has to. */
class Logins {
  readonly #throttle: LoginThrottle;
  readonly #clock: Clock;
  readonly #observer: DoorObserver;
  readonly #salt = randomBytes(16).toString('hex');
  readonly #settled = new Map<string, Deferred<void>>();

  constructor({ clock, observer = {}, throttle = throttleDefaults }: DoorDeps) {
    this.#clock = clock;
    this.#observer = observer;
    this.#throttle = new LoginThrottle(throttle);
  }

  async run<T>(
    attempt: Attempt,
    lookUp: () => Promise<{ answer: T; isRight: boolean }>,
  ): Promise<Checked<T>> {
    const names = namesOf(this.#salt, attempt);
    for (;;) {
      const decision = this.#throttle.decide(names, this.#clock.now());
      if (decision.kind === 'look_up') break;
      if (decision.kind === 'wait') {
        await this.#settling(decision.name);
        continue;
      }
      const { fence, retryAfterMs, first } = decision;
      if (first) this.#tellLimited(attempt, fence, retryAfterMs);
      this.#observer.refused?.('too_many_failed_logins');
      return { limited: true, retryAfterSeconds: Math.ceil(retryAfterMs / 1000) };
    }
    return { limited: false, answer: await this.#lookUp(attempt, names, lookUp) };
  }

  async #lookUp<T>(
    { claim }: Attempt,
    names: LoginNames,
    lookUp: () => Promise<{ answer: T; isRight: boolean }>,
  ): Promise<T> {
    let isSettled = false;
    const settle = (outcome: 'right' | 'wrong' | 'unknown') => {
      if (isSettled) return;
      isSettled = true;
      this.#throttle.settle(names, outcome, this.#clock.now());
      this.#wake(names);
    };
    const cancel = this.#clock.after(lookUpWithinMs, () => settle('unknown'));
    try {
      const { answer, isRight } = await lookUp();
      if (!isRight) this.#observer.failedLogin?.(claim.kind);
      // A token is good for once: to remember it would only crowd out what comes again.
      settle(isRight ? (claim.kind === 'token' ? 'unknown' : 'right') : 'wrong');
      return answer;
    } finally {
      cancel();
      settle('unknown');
    }
  }

  #settling(name: string): Promise<void> {
    const waiting = this.#settled.get(name) ?? deferred<void>();
    this.#settled.set(name, waiting);
    return waiting.promise;
  }

  #wake(names: LoginNames): void {
    for (const name of Object.values(names)) {
      this.#settled.get(name)?.resolve();
      this.#settled.delete(name);
    }
  }

  #tellLimited({ shown, claim }: Attempt, fence: FenceName, retryAfterMs: number): void {
    const clientId = claim.kind === 'service' && clientIdShape.test(claim.clientId) ? claim.clientId : null;
    this.#observer.limited?.({ address: shown, fence, clientId, retryAfterMs });
  }
}

function namesOf(salt: string, { counted, claim }: Attempt): LoginNames {
  switch (claim.kind) {
    case 'admin':
      return loginNames(salt, counted, 'admin', claim.secret);
    case 'service':
      return loginNames(salt, counted, `service ${claim.clientId}`, claim.secret);
    case 'token':
      // A token says not whose it is. Each stands for itself, so that one page's old token is not held against the next.
      return loginNames(salt, counted, `token ${claim.secret}`, claim.secret);
    case 'nobody':
      return loginNames(salt, counted, 'nobody', '');
  }
}
