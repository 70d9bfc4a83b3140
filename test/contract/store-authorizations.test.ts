// What the store promises about authorizations, on whichever database this run is about: a state is good for one use, no
// secret of one can be read from the table, an end is written once.
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { AuthorizationStore, NewAuthorization } from '../../src/upstream/authorization-port.ts';
import { key, otherKey, storeRig } from './store-rig.ts';

const rig = storeRig();
/** Does not compile unless the store fits upstream's port. */
const authorizations = (): AuthorizationStore => rig.store.authorizations;
const minuteMs = 60_000;

const link = (stateToken: string, more: Partial<NewAuthorization> = {}): NewAuthorization => ({
  kind: 'browser',
  name: 'main',
  scopes: ['user:read:chat', 'user:bot'],
  redirectUri: 'http://localhost:8080/oauth/callback',
  botAccountId: null,
  serviceAccountId: null,
  intervalSeconds: null,
  expiresAt: rig.clock.now() + 10 * minuteMs,
  stateToken,
  deviceCode: null,
  ...more,
});
const device = (deviceCode: string, more: Partial<NewAuthorization> = {}): NewAuthorization =>
  link('', { kind: 'device', redirectUri: null, stateToken: null, deviceCode, intervalSeconds: 5, ...more });
const denied = { state: 'denied', code: 'access_denied', reason: 'The user denied it.' } as const;

describe('a state', () => {
  test('of fifty uses at once one gets the authorization, and the others are told that it was used', async () => {
    const made = await authorizations().create(link('state-1'));
    const claims = await Promise.all(Array.from({ length: 50 }, () => authorizations().claim('state-1')));
    expect(claims.filter(({ ok }) => ok)).toEqual([{ ok: true, authorization: made }]);
    expect(claims.filter((claim) => !claim.ok && claim.why === 'used')).toHaveLength(49);
    expect(await authorizations().get(made.id)).toEqual(made);
  });

  test('unknown, used, expired and ended are told apart', async () => {
    const made = await authorizations().create(link('state-1'));
    await authorizations().create(link('state-2', { expiresAt: rig.clock.now() + minuteMs }));
    expect(made).toMatchObject({ kind: 'browser', state: 'pending', name: 'main', grantedBotId: null });
    for (const nothing of ['', 'state-3', 'state-1\0'])
      expect(await authorizations().claim(nothing)).toEqual({ ok: false, why: 'unknown' });
    await rig.clock.advance(minuteMs + 1);
    expect(await authorizations().claim('state-2')).toEqual({ ok: false, why: 'expired' });
    expect(await authorizations().claim('state-1')).toMatchObject({ ok: true });
    await rig.clock.advance(10 * minuteMs);
    expect(await authorizations().claim('state-1')).toEqual({ ok: false, why: 'used' });
    const ended = await authorizations().create(link('state-4'));
    expect(await authorizations().end(ended.id, denied)).toBe(true);
    expect(await authorizations().claim('state-4')).toEqual({ ok: false, why: 'used' });
    expect(await authorizations().get(ended.id)).toMatchObject({ state: 'denied', code: 'access_denied' });
  });
});

describe('an end', () => {
  test('is written once, whoever comes first', async () => {
    const { id } = await authorizations().create(link('state-1'));
    const completed = { state: 'completed', grantedBotId: rig.botId } as const;
    const ends = await Promise.all(Array.from({ length: 10 }, () => authorizations().end(id, completed)));
    expect(ends.filter(Boolean)).toHaveLength(1);
    expect(await authorizations().end(id, denied)).toBe(false);
    expect(await authorizations().get(id)).toMatchObject({ ...completed, code: null, reason: null });
    expect(await authorizations().end(randomUUID(), denied)).toBe(false);
    expect(await authorizations().end('no id', denied)).toBe(false);
    expect(await authorizations().get('no id')).toBeUndefined();
  });

  test('may be of any text', async () => {
    const { id } = await authorizations().create(link('state-1', { name: 'a\0b' }));
    await authorizations().end(id, { state: 'failed', code: 'x\0', reason: `"\0'; DROP TABLE \u{1f600}` });
    expect(await authorizations().get(id)).toMatchObject({
      name: 'a\u{fffd}b',
      code: 'x\u{fffd}',
      reason: `"\u{fffd}'; DROP TABLE \u{1f600}`,
    });
  });
});

describe('a device code', () => {
  test('is listed while somebody may type it in, the oldest first, and forgotten at the end', async () => {
    const first = await authorizations().create(device('code-1'));
    await rig.clock.advance(10);
    const second = await authorizations().create(device('code-2'));
    await authorizations().create(device('code-3', { expiresAt: rig.clock.now() + minuteMs }));
    await authorizations().create(link('state-1'));
    await rig.clock.advance(minuteMs);
    expect(await authorizations().pendingDevices()).toEqual([
      { ...first, deviceCode: 'code-1' },
      { ...second, deviceCode: 'code-2' },
    ]);
    await authorizations().end(first.id, denied);
    expect((await authorizations().pendingDevices()).map(({ id }) => id)).toEqual([second.id]);
    const kept = await rig.database.pool.query(
      'SELECT 1 FROM bot_authorization WHERE device_code IS NOT NULL',
    );
    expect(kept.rowCount).toBe(2);
  });

  test('and a state cannot be read from the table; moved to another row, or without its key, one is left out', async () => {
    const one = await authorizations().create(device('code-1'));
    await authorizations().create(link('state-1'));
    const raw = await rig.database.pool.query('SELECT * FROM bot_authorization');
    expect(raw.rowCount).toBe(2);
    expect(JSON.stringify(raw.rows)).not.toMatch(/code-1|state-1/);
    expect(await rig.storeWith(otherKey).authorizations.pendingDevices()).toEqual([]);
    expect(await rig.storeWith(otherKey, key).authorizations.pendingDevices()).toHaveLength(1);
    const two = await authorizations().create(device('code-2'));
    await rig.database.pool.query(
      'UPDATE bot_authorization SET device_code = (SELECT device_code FROM bot_authorization WHERE id = $1) WHERE id = $2',
      [one.id, two.id],
    );
    expect((await authorizations().pendingDevices()).map(({ id }) => id)).toEqual([one.id]);
  });
});

describe('old ones', () => {
  test('go when they ended or expired before the instant', async () => {
    const started = rig.clock.now();
    const ended = await authorizations().create(link('state-1', { expiresAt: started + 100 * minuteMs }));
    const expired = await authorizations().create(link('state-2', { expiresAt: started + minuteMs }));
    const pending = await authorizations().create(link('state-3', { expiresAt: started + 100 * minuteMs }));
    await rig.clock.advance(2 * minuteMs);
    await authorizations().end(ended.id, denied);
    expect(await authorizations().removeBefore(started)).toBe(0);
    expect(await authorizations().removeBefore(rig.clock.now() + minuteMs)).toBe(2);
    const left = await Promise.all([ended, expired, pending].map(({ id }) => authorizations().get(id)));
    expect(left.map((row) => row !== undefined)).toEqual([false, false, true]);
  });

  test('go with the service that asked; one of a service that is gone is refused', async () => {
    const serviceAccountId = rig.service.id;
    const ask = (state: string) => link(state, { kind: 'broadcaster', name: null, serviceAccountId });
    const { id } = await authorizations().create(ask('state-1'));
    expect(await authorizations().get(id)).toMatchObject({ kind: 'broadcaster', serviceAccountId });
    await rig.store.services.remove(rig.service.clientId);
    expect(await authorizations().get(id)).toBeUndefined();
    await expect(authorizations().create(ask('state-2'))).rejects.toMatchObject({
      code: 'unknown_service',
      status: 401,
    });
  });
});
