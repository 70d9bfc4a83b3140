// What a mutant is: one bug that a relay could have, as a change of the text, and the tests that must notice it.

export interface Mutant {
  /** What is wrong with the relay then. */
  readonly name: string;
  /** Who shipped it, or the invariant (docs/invariants.md) that it breaks. */
  readonly origin: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** The quickest ones that must fail. */
  readonly killedBy: readonly string[];
  /** Part of the titles of the tests to run, where not all of a file are needed. */
  readonly only?: string;
  /** The embedded database serves one after another, so only a server shows it: tried with TEST_DATABASE_URL alone. */
  readonly onServer?: true;
}
