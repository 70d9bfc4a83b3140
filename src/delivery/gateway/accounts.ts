// Per service account: how many sockets it has, and the credentials behind them, told of every change of the account.
import { Credential } from './credential.ts';
import type { CredentialDeps } from './credential.ts';
import type { Given } from './login.ts';
import type { GatewayChange, GatewayService } from './ports.ts';
import type { Wire } from './wire.ts';

export class Accounts {
  readonly #deps: CredentialDeps;
  readonly #maxPerService: number;
  readonly #credentials = new Map<string, Set<Credential>>();
  readonly #unsubscribe: () => void;
  /** How many changes of service accounts there were; see `logIn`. */
  changes = 0;

  constructor(deps: CredentialDeps, maxPerService: number) {
    this.#deps = deps;
    this.#maxPerService = maxPerService;
    this.#unsubscribe = deps.store.onChange((change) => this.#changed(change));
  }

  isFull(serviceAccountId: string): boolean {
    return (this.#credentials.get(serviceAccountId)?.size ?? 0) >= this.#maxPerService;
  }

  /** Counts the socket and watches its credentials, until it is gone. */
  watch(service: GatewayService, given: Given, wire: Wire): Credential {
    const credential = new Credential(this.#deps, service, given);
    const all = this.#credentials.get(service.id) ?? new Set();
    this.#credentials.set(service.id, all.add(credential));
    void wire.ended.then(() => {
      credential.end();
      all.delete(credential);
      if (all.size === 0 && this.#credentials.get(service.id) === all) this.#credentials.delete(service.id);
    });
    return credential;
  }

  stop(): void {
    this.#unsubscribe();
  }

  #changed(change: GatewayChange): void {
    if (change.kind !== 'service') return;
    this.changes++;
    for (const credential of this.#credentials.get(change.serviceAccountId) ?? []) credential.changed(change);
  }
}
