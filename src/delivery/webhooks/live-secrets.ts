// Which of an endpoint's secrets sign at a given moment.
import type { LiveSecret } from './ports.ts';

/** Those that are valid, the newest first. */
export const validSecrets = (secrets: readonly LiveSecret[], now: number): readonly string[] =>
  secrets.filter(({ validUntil }) => validUntil === null || validUntil > now).map(({ secret }) => secret);

/** The same without a new list for every request. */
export class SigningSecrets {
  #secrets: readonly LiveSecret[];
  #valid: readonly string[] = [];
  /** The list is right from the one instant and before the other. */
  #from = Infinity;
  #until = -Infinity;

  constructor(secrets: readonly LiveSecret[]) {
    this.#secrets = secrets;
  }

  replace(secrets: readonly LiveSecret[]): void {
    this.#secrets = secrets;
    this.#until = -Infinity;
  }

  at(now: number): readonly string[] {
    if (now >= this.#from && now < this.#until) return this.#valid;
    this.#valid = validSecrets(this.#secrets, now);
    this.#from = now;
    this.#until = Math.min(
      ...this.#secrets.map(({ validUntil }) =>
        validUntil === null || validUntil <= now ? Infinity : validUntil,
      ),
      Infinity,
    );
    return this.#valid;
  }
}
