// Twitch's device flow: a code that somebody types in elsewhere, and asking what became of it. Nothing that is thrown
// below leaves this file. Source: https://dev.twitch.tv/docs/authentication/getting-tokens-oauth/#device-code-grant-flow
import { z } from 'zod';
import type { Clock } from '../../runtime/clock.ts';
import {
  answered,
  rawAuthCall,
  unreached,
  withinDeadline,
  type FreshToken,
  type RawAnswer,
  type Unreachable,
} from './oauth-call.ts';

export type DeviceStart =
  | {
      readonly kind: 'started';
      readonly deviceCode: string;
      readonly userCode: string;
      readonly verificationUri: string;
      readonly expiresInSeconds: number;
      readonly intervalSeconds: number;
    }
  /** Twitch will not have this client or these scopes. */
  | { readonly kind: 'refused' }
  | Unreachable;

export type DevicePoll =
  | { readonly kind: 'token'; readonly token: FreshToken }
  | { readonly kind: 'pending' }
  | { readonly kind: 'slow_down' }
  | { readonly kind: 'denied' }
  /** The code is over, or never was one. */
  | { readonly kind: 'invalid' }
  | Unreachable;

export interface DeviceFlow {
  startDevice(scopes: readonly string[]): Promise<DeviceStart>;
  /** With the scopes that it was started with. */
  pollDevice(deviceCode: string, scopes: readonly string[]): Promise<DevicePoll>;
}

/** What RFC 8628 (3.2) says where a server names none. */
const usualIntervalSeconds = 5;

const started = z.looseObject({
  device_code: z.string().min(1),
  user_code: z.string().min(1),
  verification_uri: z.string().min(1),
  expires_in: z.number().positive(),
  interval: z.number().optional(),
});
const granted = z.looseObject({
  access_token: z.string().min(1),
  refresh_token: z.string().min(1).nullish(),
  scope: z.array(z.string()).nullish(),
  expires_in: z.number().nullish(),
});
// The RFC names the reason in `error`, Twitch in `message`.
const refusal = z.looseObject({ message: z.string().optional(), error: z.string().optional() });

const reasons: Readonly<Record<string, DevicePoll['kind'] & ('pending' | 'slow_down' | 'denied')>> = {
  authorization_pending: 'pending',
  slow_down: 'slow_down',
  access_denied: 'denied',
};

export function createDeviceFlow(options: {
  clientId: string;
  clock: Clock;
  deadlineMs: number;
  signal?: AbortSignal | undefined;
}): DeviceFlow {
  const { clientId, clock, deadlineMs, signal } = options;
  const call = (request: Parameters<typeof rawAuthCall>[0]) =>
    withinDeadline(clock, deadlineMs, rawAuthCall({ ...request, method: 'POST' }), signal);
  return {
    async startDevice(scopes) {
      try {
        return readStart(
          await call({ url: 'device', query: { client_id: clientId, scopes: scopes.join(' ') } }),
        );
      } catch (error) {
        return unreached(error);
      }
    },
    async pollDevice(deviceCode, scopes) {
      try {
        const query = {
          client_id: clientId,
          scopes: scopes.join(' '),
          device_code: deviceCode,
          grant_type: 'urn:ietf:params:oauth:grant-type:device_code',
        };
        return readPoll(await call({ url: 'token', query }), clock.now());
      } catch (error) {
        return unreached(error);
      }
    },
  };
}

function readStart({ status, body }: RawAnswer): DeviceStart {
  if (status === 400 || status === 401 || status === 403) return { kind: 'refused' };
  if (status !== 200) return answered(status);
  const got = started.parse(body);
  const { interval } = got;
  return {
    kind: 'started',
    deviceCode: got.device_code,
    userCode: got.user_code,
    verificationUri: got.verification_uri,
    expiresInSeconds: got.expires_in,
    // Whole seconds, and never none: a mistake there must not become a storm of questions.
    intervalSeconds: interval !== undefined && interval > 0 ? Math.ceil(interval) : usualIntervalSeconds,
  };
}

function readPoll({ status, body }: RawAnswer, now: number): DevicePoll {
  if (status === 200) {
    const got = granted.parse(body);
    const token = {
      accessToken: got.access_token,
      refreshToken: got.refresh_token ?? null,
      scopes: got.scope ?? [],
      expiresAt: typeof got.expires_in === 'number' ? now + got.expires_in * 1_000 : null,
    };
    return { kind: 'token', token };
  }
  if (status === 429) return { kind: 'slow_down' };
  if (status < 400 || status >= 500) return answered(status);
  const said = refusal.safeParse(body).data;
  const kind = reasons[said?.message ?? ''] ?? reasons[said?.error ?? ''];
  if (kind) return { kind };
  return status === 400 || status === 401 ? { kind: 'invalid' } : answered(status);
}
