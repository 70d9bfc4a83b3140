// The credentials behind one open connection, watched for as long as it lives: rotated, expired, disabled, removed. It
// only tells; closing is the connection's matter.
import type { Cancel, Clock } from '../../runtime/clock.ts';
import type { Given } from './login.ts';
import type {
  Authentication,
  GatewayChange,
  GatewayObserver,
  GatewayService,
  GatewayStore,
} from './ports.ts';

/** After a check that the database did not answer. */
const retryMs = 5_000;

type Revoke = (reason: 'unauthorized' | 'disabled', message: string) => void;
type ServiceChange = Extract<GatewayChange, { kind: 'service' }>;

export interface CredentialDeps {
  readonly store: GatewayStore;
  readonly clock: Clock;
  readonly observer: GatewayObserver;
}

export class Credential {
  readonly #deps: CredentialDeps;
  readonly #given: Given;
  #revoke: Revoke | undefined;
  #revoked: Parameters<Revoke> | undefined;
  #cancel: Cancel | undefined;
  #ended = false;

  constructor(deps: CredentialDeps, service: GatewayService, given: Given) {
    this.#deps = deps;
    this.#given = given;
    // During a grace nobody says which of the two secrets it was: ask again when the older one ends.
    if (given.kind === 'secret') this.#checkAt(service.previousValidUntil);
  }

  /** Whom to tell; at once if it has happened already. */
  attach(revoke: Revoke): void {
    this.#revoke = revoke;
    if (this.#revoked) revoke(...this.#revoked);
  }

  changed(change: ServiceChange): void {
    switch (change.what) {
      case 'disabled':
        this.#tell('disabled', 'the account was disabled');
        return;
      case 'removed':
        this.#tell('unauthorized', 'the account was removed');
        return;
      case 'secret':
        this.#rotated(change.previousValidUntil ?? null);
        return;
      case 'created':
      case 'access':
      case 'enabled':
        return;
    }
  }

  end(): void {
    this.#ended = true;
    this.#cancel?.();
  }

  /** Every connection that is open now logged in before the rotation, so its secret is the previous one or older. */
  #rotated(previousValidUntil: number | null): void {
    if (previousValidUntil === null) this.#tell('unauthorized', 'the credentials were rotated');
    else if (this.#given.kind === 'secret') this.#check();
    else {
      // A token's socket outlives its secret by as much as the secret's own sockets do.
      this.#at(previousValidUntil, () => this.#tell('unauthorized', 'the credentials were rotated'));
    }
  }

  #check(): void {
    if (this.#given.kind !== 'secret' || this.#ended) return;
    this.#deps.store.services.authenticate(this.#given.clientId, this.#given.clientSecret).then(
      (answer) => this.#checked(answer),
      (error: unknown) => {
        this.#deps.observer.failed?.('recheck', error);
        this.#at(this.#deps.clock.now() + retryMs, () => this.#check());
      },
    );
  }

  #checked(answer: Authentication): void {
    if (answer.ok) this.#checkAt(answer.service.previousValidUntil);
    else if (answer.reason === 'disabled') this.#tell('disabled', 'the account was disabled');
    else this.#tell('unauthorized', 'the credentials were rotated');
  }

  #checkAt(validUntil: number | null): void {
    if (validUntil !== null && validUntil > this.#deps.clock.now()) this.#at(validUntil, () => this.#check());
  }

  #at(instant: number, run: () => void): void {
    if (this.#ended) return;
    this.#cancel?.();
    const delayMs = Math.max(0, instant - this.#deps.clock.now()) + 1;
    this.#cancel = this.#deps.clock.after(delayMs, run);
  }

  #tell(...verdict: Parameters<Revoke>): void {
    if (this.#ended || this.#revoked) return;
    this.#revoked = verdict;
    this.#revoke?.(...verdict);
  }
}
