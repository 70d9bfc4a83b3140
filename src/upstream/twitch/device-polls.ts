// Asks Twitch what became of device codes, each at its own pace and none behind another, until it is known or the code
// is over; and removes rows of authorizations that ended long ago. Rows are the truth: a restart goes on with them.
import { backOffMs } from '../../domain/back-off.ts';
import { pause } from '../../runtime/clock.ts';
import type { Authorization } from '../authorization-port.ts';
import type { AuthorizationsDeps } from './authorizations.ts';
import type { GrantEnd } from './grant-end.ts';

type Asked = Pick<
  Authorization,
  'id' | 'kind' | 'name' | 'scopes' | 'botAccountId' | 'serviceAccountId' | 'intervalSeconds' | 'expiresAt'
>;

export interface PendingDevice {
  readonly authorization: Asked;
  readonly deviceCode: string;
}

/** What RFC 8628 (3.5) says to add at each `slow_down`, and to begin with where no interval is known. */
const slowerBySeconds = 5;
/** On top of the interval while Twitch does not answer, or the database does not. */
const troubleBackOff = { firstMs: 1_000, maxMs: 30_000 };
/** Codes of which nobody told us (another process's) are found after this. */
const lookAgainMs = 60_000;
const keepEndedMs = 86_400_000;

export class DevicePolls {
  readonly #deps: AuthorizationsDeps & { readonly grantEnd: GrantEnd };
  readonly #underWay = new Map<string, Promise<void>>();
  #signal: AbortSignal | undefined;

  constructor(deps: AuthorizationsDeps & { readonly grantEnd: GrantEnd }) {
    this.#deps = deps;
  }

  /** Until `run` runs, the row alone keeps it. */
  add(device: PendingDevice): void {
    const { id } = device.authorization;
    const signal = this.#signal;
    if (!signal || signal.aborted || this.#underWay.has(id)) return;
    const work = this.#follow(device, signal)
      .catch((error: unknown) => this.#deps.observer.passFailed({ botId: '', error }))
      .finally(() => this.#underWay.delete(id));
    this.#underWay.set(id, work);
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, observer, random, store } = this.#deps;
    this.#signal = signal;
    for (let failures = 0; !signal.aborted;) {
      try {
        for (const { deviceCode, ...authorization } of await store.pendingDevices())
          this.add({ authorization, deviceCode });
        await store.removeBefore(clock.now() - keepEndedMs);
        failures = 0;
      } catch (error) {
        observer.passFailed({ botId: '', error });
        failures++;
      }
      await pause(clock, failures > 0 ? backOffMs(failures, troubleBackOff, random()) : lookAgainMs, signal);
    }
    await Promise.all(this.#underWay.values());
  }

  async #follow({ authorization, deviceCode }: PendingDevice, signal: AbortSignal): Promise<void> {
    const { clock, grantEnd, oauth, random } = this.#deps;
    const { expiresAt, scopes } = authorization;
    let intervalMs = Math.max(1, authorization.intervalSeconds ?? slowerBySeconds) * 1_000;
    let failures = 0;
    for (;;) {
      const extraMs = failures > 0 ? backOffMs(failures, troubleBackOff, random()) : 0;
      if ((await pause(clock, intervalMs + extraMs, signal)) === 'aborted') return;
      if (clock.now() >= expiresAt) return this.#expired(authorization);
      const outcome = await oauth.pollDevice(deviceCode, scopes);
      failures = outcome.kind === 'unreachable' ? failures + 1 : 0;
      switch (outcome.kind) {
        case 'pending':
        case 'unreachable':
          continue;
        case 'slow_down':
          intervalMs += slowerBySeconds * 1_000;
          continue;
        case 'denied':
          return this.#insist(() => grantEnd.withoutGrant(authorization, 'access_denied'), signal);
        case 'invalid':
          return this.#insist(() => grantEnd.codeInvalid(authorization), signal);
        case 'token':
          return this.#insist(() => grantEnd.withGrant(authorization, outcome.token), signal);
      }
    }
  }

  /** Twitch tells it once: while the database is away, what it told is kept and tried again. */
  async #insist(end: () => Promise<unknown>, signal: AbortSignal): Promise<void> {
    const { clock, observer, random } = this.#deps;
    for (let failures = 1; ; failures++) {
      try {
        await end();
        return;
      } catch (error) {
        observer.passFailed({ botId: '', error });
      }
      if ((await pause(clock, backOffMs(failures, troubleBackOff, random()), signal)) === 'aborted') return;
    }
  }

  #expired({ id, kind }: Asked): void {
    this.#deps.observer.authorizationEnded({ id, kind, state: 'expired', code: null, botId: null });
  }
}
