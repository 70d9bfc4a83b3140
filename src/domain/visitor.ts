// Who comes to the door and what they claim: the words that HTTP, the gateway and the door share. Types, and the door that
// stands open; the one with rules is in src/door.

/** The part of a request that is judged before anything else of it is read. */
export interface Knock {
  /** The other end of the connection; undefined once it is gone. */
  readonly peer: string | undefined;
  /** X-Forwarded-For as it came, several joined by commas. */
  readonly forwardedFor: string | undefined;
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Path and query as sent, characters. */
  readonly targetLength: number;
  readonly headerCount: number;
}

/** What somebody says of themselves. `nobody` brings no credentials at all. */
export type LoginClaim =
  | { readonly kind: 'admin'; readonly secret: string }
  | { readonly kind: 'service'; readonly clientId: string; readonly secret: string }
  | { readonly kind: 'token'; readonly secret: string }
  | { readonly kind: 'nobody' };

export type Checked<T> =
  | { readonly limited: false; readonly answer: T }
  /** Too many failed log-ins: nothing was looked up. */
  | { readonly limited: true; readonly retryAfterSeconds: number };

export interface Visitor {
  /** Theirs, not a trusted proxy's; `unknown` if the connection is gone. */
  readonly address: string;
  /**
   * Looks the claim up, unless too many have failed. `isRight` tells a right answer from a failed log-in; a look-up that
   * rejects counts as neither, and the rejection is passed on.
   */
  logIn<T>(claim: LoginClaim, lookUp: () => Promise<T>, isRight: (answer: T) => boolean): Promise<Checked<T>>;
}

export type Entry =
  | { readonly ok: true; readonly visitor: Visitor }
  | {
      readonly ok: false;
      readonly status: 403 | 414 | 431;
      readonly code: 'address_not_allowed' | 'url_too_long' | 'too_many_headers';
      readonly message: string;
    };

export interface Door {
  /** Whether the request may go on. Never throws. */
  enter(knock: Knock): Entry;
}

/** Lets everybody in and counts nothing. */
export const openDoor: Door = {
  enter: ({ peer }) => ({
    ok: true,
    visitor: {
      address: peer ?? 'unknown',
      logIn: async (_claim, lookUp) => ({ limited: false, answer: await lookUp() }),
    },
  }),
};
