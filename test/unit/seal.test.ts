// Envelopes open with any listed key and in the right place only; their errors tell nothing about the content.
import { expect, test } from 'vitest';
import { parseSealKey } from '../../src/domain/seal-key.ts';
import { createSealer } from '../../src/store/seal.ts';
import { constantTimeEqual, hashSecret, newSecret } from '../../src/store/secrets.ts';

const first = Buffer.alloc(32, 1).toString('base64');
const second = Buffer.alloc(32, 2).toString('hex');
const context = 'bot:1:access';
const plain = 'canary-token-äöü';

test('what one key sealed opens as long as it is listed, and is due for resealing when it is not the first', () => {
  const old = createSealer([first]);
  const envelope = old.seal(plain, context);
  expect(envelope).toMatch(/^v1\.[0-9a-f]{8}\.[A-Za-z0-9_-]+$/);
  expect(envelope).not.toContain('canary');
  expect(old.seal(plain, context)).not.toBe(envelope);
  const rotated = createSealer([second, first]);
  expect(rotated.open(envelope, context)).toBe(plain);
  expect([old.needsReseal(envelope), rotated.needsReseal(envelope)]).toEqual([false, true]);
  expect(rotated.needsReseal(rotated.seal(plain, context))).toBe(false);
  expect(() => createSealer([second]).open(envelope, context)).toThrow(
    expect.objectContaining({ code: 'seal_unknown_key' }),
  );
});

test('every changed character of an envelope is noticed', () => {
  const sealer = createSealer([first]);
  const envelope = sealer.seal(plain, context);
  for (let at = 0; at < envelope.length; at++) {
    const changed = `${envelope.slice(0, at)}${envelope[at] === 'A' ? 'B' : 'A'}${envelope.slice(at + 1)}`;
    let code: unknown;
    try {
      sealer.open(changed, context);
    } catch (error) {
      expect(String(error)).not.toContain('canary');
      code = error instanceof Error && 'code' in error ? error.code : error;
    }
    expect(code, `position ${at}`).toMatch(/^seal_(tampered|malformed|unknown_key)$/);
  }
  for (const text of ['', 'v1', 'v2.00000000.AAAA', envelope.slice(0, 20), `${envelope}=`]) {
    expect(() => sealer.open(text, context)).toThrow(expect.objectContaining({ code: 'seal_malformed' }));
  }
});

test('an envelope opens in its own place only', () => {
  const sealer = createSealer([first]);
  const envelope = sealer.seal(plain, context);
  expect(() => sealer.open(envelope, 'bot:2:access')).toThrow(
    expect.objectContaining({ code: 'seal_tampered' }),
  );
});

test('keys are 32 bytes as base64, base64url or hex, and a wrong one is not repeated', () => {
  const bytes = Buffer.alloc(32, 0xfb);
  for (const text of [
    bytes.toString('base64'),
    bytes.toString('base64url'),
    bytes.toString('hex'),
    ` ${bytes.toString('hex')} `,
  ]) {
    expect(parseSealKey(text)).toEqual(bytes);
  }
  for (const text of [
    '',
    'short',
    'g'.repeat(64),
    Buffer.alloc(31).toString('base64'),
    Buffer.alloc(33).toString('base64'),
  ]) {
    expect(parseSealKey(text)).toBeUndefined();
  }
  expect(() => createSealer(['canary'])).toThrow(/^A sealing key is not 32 bytes as base64 or hex\.$/);
  expect(() => createSealer([])).toThrow(expect.objectContaining({ code: 'seal_key_invalid' }));
});

test('secrets are 256 random bits, and compared whole', () => {
  expect(newSecret()).toMatch(/^[A-Za-z0-9_-]{43}$/);
  expect(newSecret()).not.toBe(newSecret());
  expect(hashSecret('a')).toBe('ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb');
  expect([constantTimeEqual('a', 'a'), constantTimeEqual('a', 'ab'), constantTimeEqual('', 'a')]).toEqual([
    true,
    false,
    false,
  ]);
});
