// The two ways out of whatever is being asked or waited for. Neither is a failure.

export type BackKey = 'escape' | 'interrupt';

/** Esc or Ctrl-C: one step back. */
export class Back extends Error {
  override readonly name = 'Back';
  readonly key: BackKey;

  constructor(key: BackKey) {
    super('back');
    this.key = key;
  }
}

/** The terminal has gone, or the process is told to end: out of every menu at once. */
export class Leave extends Error {
  override readonly name = 'Leave';
}
