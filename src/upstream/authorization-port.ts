// The durable side of authorizations as upstream needs it, and where a grant ends. src/store fits it.

export interface Authorization {
  readonly id: string;
  readonly kind: 'browser' | 'device' | 'broadcaster';
  /** What is written in the row; whether a pending one is too old is for the reader to say. */
  readonly state: 'pending' | 'completed' | 'denied' | 'failed';
  readonly code: string | null;
  readonly reason: string | null;
  /** What the account shall be called; null for its login, or the name it has. */
  readonly name: string | null;
  readonly scopes: readonly string[];
  readonly redirectUri: string | null;
  /** The one bot whose grant it renews; null for anybody's. */
  readonly botAccountId: string | null;
  readonly serviceAccountId: string | null;
  readonly intervalSeconds: number | null;
  readonly grantedBotId: string | null;
  /** Milliseconds since the epoch, as are the others. */
  readonly expiresAt: number;
  readonly createdAt: number;
}

export type NewAuthorization = Pick<
  Authorization,
  | 'kind'
  | 'name'
  | 'scopes'
  | 'redirectUri'
  | 'botAccountId'
  | 'serviceAccountId'
  | 'intervalSeconds'
  | 'expiresAt'
> & {
  /** The `state` in plain text, of which only a hash is kept; null for a device code. */
  readonly stateToken: string | null;
  /** Kept sealed; null for a link. */
  readonly deviceCode: string | null;
};

export interface AuthorizationStore {
  create(authorization: NewAuthorization): Promise<Authorization>;
  get(id: string): Promise<Authorization | undefined>;
  /**
   * The one use of a state: of any number of calls with it, at once or later, one gets the authorization. The others are
   * told why not; nothing is changed by them.
   */
  claim(
    stateToken: string,
  ): Promise<
    | { readonly ok: true; readonly authorization: Authorization }
    | { readonly ok: false; readonly why: 'unknown' | 'used' | 'expired' }
  >;
  /** Writes down how it ended, once: false when it had ended. */
  end(
    id: string,
    outcome:
      | { readonly state: 'completed'; readonly grantedBotId: string }
      | { readonly state: 'denied' | 'failed'; readonly code: string; readonly reason: string },
  ): Promise<boolean>;
  /** Device codes that somebody may still type in, the oldest first. One that no key opens is left out. */
  pendingDevices(): Promise<readonly (Authorization & { readonly deviceCode: string })[]>;
  /** Removes those that ended or expired before the instant; how many. */
  removeBefore(at: number): Promise<number>;
}

/** A bot as the end of an authorization looks at it. */
export interface GrantedBot {
  readonly id: string;
  readonly name: string;
  readonly twitchUserId: string;
  readonly twitchLogin: string;
  readonly state: 'ok' | 'reauth_required';
  readonly scopes: readonly string[];
}

/** Where every way of adding a bot ends. */
export interface GrantStore {
  get(botId: string): Promise<GrantedBot | undefined>;
  byTwitchUser(twitchUserId: string): Promise<GrantedBot | undefined>;
  /** For a known user the tokens are replaced, and nothing else but what is given. Throws RelayError 409 `name_taken`. */
  save(grant: {
    readonly name: string | undefined;
    readonly twitchUserId: string;
    readonly twitchLogin: string;
    readonly scopes: readonly string[];
    readonly accessToken: string;
    readonly refreshToken: string | null;
    readonly expiresAt: number | null;
  }): Promise<{ readonly bot: GrantedBot; readonly created: boolean }>;
  /** Lets a restricted service use the bot, too. */
  allow(serviceAccountId: string, botId: string): Promise<void>;
}
