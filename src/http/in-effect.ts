// After a committed change of interests: it is put into effect before the request is answered. Never fails the request.
import type { HttpDeps } from './port.ts';

/** The row is committed, so a fault here is not the caller's: until the next reload what is new is delivered later, never skipped. */
export async function inEffect(deps: Pick<HttpDeps, 'audience' | 'log'>, serviceId: string): Promise<void> {
  try {
    await deps.audience.reload([serviceId]);
  } catch (error) {
    deps.log.warn(
      { service_account_id: serviceId, err: error },
      'interests changed but could not be reloaded',
    );
  }
}
