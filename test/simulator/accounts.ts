// Owns Twitch's users, the grants they gave to the app and every token that came of them. It must never know about
// sockets or subscriptions.
import type { Ids } from './ids.ts';
import type { Settings } from './options.ts';
import type { Condition, SimUser } from './types.ts';

export interface AccessToken {
  readonly token: string;
  /** null: an app token. */
  readonly userId: string | null;
  readonly scopes: readonly string[];
  expiresAtMs: number;
}

interface RefreshToken {
  readonly token: string;
  readonly userId: string;
  readonly scopes: readonly string[];
  /** Public clients refresh without a secret, and then the refresh token rotates. */
  readonly publicClient: boolean;
}

export interface TokenPair {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly scopes: readonly string[];
  readonly expiresInSeconds: number;
}

interface AuthorizationCode {
  readonly userId: string;
  readonly scopes: readonly string[];
  readonly redirectUri: string;
}

interface DeviceCode {
  readonly deviceCode: string;
  readonly userCode: string;
  readonly scopes: readonly string[];
  readonly expiresAtMs: number;
  userId: string | null;
  denied: boolean;
}

export class Accounts {
  readonly users = new Map<string, SimUser>();
  readonly #access = new Map<string, AccessToken>();
  readonly #refresh = new Map<string, RefreshToken>();
  readonly #codes = new Map<string, AuthorizationCode>();
  readonly #devices = new Map<string, DeviceCode>();
  readonly #authorized = new Set<string>();
  readonly #ids: Ids;
  readonly #settings: Settings;
  /** Who sits before the browser when the app asks for consent; null: whoever was added first. */
  signedInUserId: string | null = null;
  denyNextConsent = false;
  /** What the next consent grants at most, whatever is asked; null: all of it. */
  grantOnlyNext: readonly string[] | null = null;

  constructor(ids: Ids, settings: Settings) {
    this.#ids = ids;
    this.#settings = settings;
  }

  addUser(wanted: { id?: string; login: string; displayName?: string }): SimUser {
    const user = {
      id: wanted.id ?? this.#ids.userId(),
      login: wanted.login.toLowerCase(),
      displayName: wanted.displayName ?? wanted.login,
    };
    this.users.set(user.id, user);
    return user;
  }

  /** The user of this id; a stranger that was never added gets a plausible name, for payloads. */
  userOrStranger(id: string): SimUser {
    return this.users.get(id) ?? { id, login: `user_${id}`, displayName: `User_${id}` };
  }

  findByLogin(login: string): SimUser | undefined {
    return [...this.users.values()].find((user) => user.login === login.toLowerCase());
  }

  grant(wanted: {
    userId: string;
    scopes: readonly string[];
    expiresInSeconds?: number;
    publicClient?: boolean;
  }): TokenPair {
    const expiresInSeconds = wanted.expiresInSeconds ?? this.#settings.accessTokenSeconds;
    const scopes = [...wanted.scopes];
    const accessToken = this.#ids.token();
    const refreshToken = this.#ids.token(50);
    this.#authorized.add(wanted.userId);
    this.#access.set(accessToken, {
      token: accessToken,
      userId: wanted.userId,
      scopes,
      expiresAtMs: Date.now() + expiresInSeconds * 1_000,
    });
    this.#refresh.set(refreshToken, {
      token: refreshToken,
      userId: wanted.userId,
      scopes,
      publicClient: wanted.publicClient ?? false,
    });
    return { accessToken, refreshToken, scopes, expiresInSeconds };
  }

  grantApp(): AccessToken {
    const token = this.#ids.token();
    const granted = {
      token,
      userId: null,
      scopes: [],
      expiresAtMs: Date.now() + this.#settings.accessTokenSeconds * 1_000,
    };
    this.#access.set(token, granted);
    return granted;
  }

  findToken(token: string): AccessToken | undefined {
    const found = this.#access.get(token);
    return found && found.expiresAtMs > Date.now() ? found : undefined;
  }

  expireToken(token: string): void {
    const found = this.#access.get(token);
    if (found) found.expiresAtMs = 0;
  }

  revokeToken(token: string): boolean {
    return this.#access.delete(token);
  }

  /** Every token of the user dies and the user no longer counts as having authorized the app. */
  revokeGrant(userId: string): void {
    this.#authorized.delete(userId);
    for (const [key, value] of this.#access) if (value.userId === userId) this.#access.delete(key);
    for (const [key, value] of this.#refresh) if (value.userId === userId) this.#refresh.delete(key);
  }

  refresh(refreshToken: string, withSecret: boolean): TokenPair | undefined {
    const found = this.#refresh.get(refreshToken);
    if (!found || (!withSecret && !found.publicClient)) return undefined;
    const pair = this.grant(found);
    if (found.publicClient || this.#settings.rotateRefreshTokens) {
      this.#refresh.delete(refreshToken);
      return pair;
    }
    this.#refresh.delete(pair.refreshToken);
    return { ...pair, refreshToken };
  }

  hasAuthorized(userId: string): boolean {
    return this.#authorized.has(userId);
  }

  conditionNamesAuthorizedUser(condition: Condition): boolean {
    return Object.values(condition).some((value) => this.#authorized.has(value));
  }

  consentingUser(): SimUser | undefined {
    const id = this.signedInUserId;
    return id === null ? [...this.users.values()][0] : this.users.get(id);
  }

  /** What the user who is asked for these scopes grants; used up by the call. */
  consented(asked: readonly string[]): readonly string[] {
    const only = this.grantOnlyNext;
    this.grantOnlyNext = null;
    return only === null ? asked : asked.filter((scope) => only.includes(scope));
  }

  issueCode(userId: string, scopes: readonly string[], redirectUri: string): string {
    const code = this.#ids.token();
    this.#codes.set(code, { userId, scopes, redirectUri });
    return code;
  }

  redeemCode(code: string, redirectUri: string): TokenPair | undefined {
    const found = this.#codes.get(code);
    this.#codes.delete(code);
    return found && found.redirectUri === redirectUri ? this.grant(found) : undefined;
  }

  issueDeviceCode(scopes: readonly string[]): DeviceCode & { expiresInSeconds: number } {
    const issued = {
      deviceCode: this.#ids.token(40),
      userCode: this.#ids.token(8).toUpperCase(),
      scopes,
      expiresAtMs: Date.now() + this.#settings.deviceCodeSeconds * 1_000,
      userId: null,
      denied: false,
    };
    this.#devices.set(issued.deviceCode, issued);
    return { ...issued, expiresInSeconds: this.#settings.deviceCodeSeconds };
  }

  /** What the user does on the activation page: says yes as `userId`, or no. False: there is no such code. */
  answerDevice(userCode: string, userId: string | null): boolean {
    const found = [...this.#devices.values()].find((device) => device.userCode === userCode);
    if (!found) return false;
    found.userId = userId;
    found.denied = userId === null;
    return true;
  }

  redeemDeviceCode(deviceCode: string): TokenPair | 'pending' | 'denied' | 'invalid' {
    const found = this.#devices.get(deviceCode);
    if (!found || found.expiresAtMs <= Date.now()) return 'invalid';
    if (found.denied) return 'denied';
    if (found.userId === null) return 'pending';
    this.#devices.delete(deviceCode);
    return this.grant({ userId: found.userId, scopes: this.consented(found.scopes), publicClient: true });
  }
}
