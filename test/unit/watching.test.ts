// The watch over the log lines of every scenario can fail: a secret is found wherever it is, and nothing else is.
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { Ids } from '../simulator/ids.ts';
import { Canary } from '../support/canary.ts';

const secret = () => randomBytes(24).toString('base64url');

it('finds each kind of secret at every place of a line, and masks it', () => {
  const canary = new Canary();
  const [key, service, token, state] = [`${secret()}+/=`, secret(), secret(), secret()];
  canary.learnSettings({ ADMIN_API_KEY: key, TOKEN_ENCRYPTION_KEY: `${token}, ${token}b`, PORT: '8080' });
  canary.learnAnswer(JSON.stringify({ client_id: 'known-to-everybody', client_secret: service }));
  canary.learnAnswer(
    JSON.stringify({ authorize_url: `https://id.example/a?client_id=x&state=${state}&z=1` }),
  );
  const issued = new Ids().token();
  for (const each of [key, service, token, state, issued, encodeURIComponent(key)]) {
    for (const line of [each, `x${each}`, `${each}\n`, `{"err":{"stack":"a\\n${each}b"}}`]) {
      expect(canary.leaks(['harmless', line])).toMatchObject([{ line: line.replace(each, '[SECRET]') }]);
      expect(() => canary.assertSilent([line])).toThrow('hold a secret');
      expect(() => canary.assertSilent([line])).not.toThrow(each);
    }
  }
});

it('leaves what is no secret alone', () => {
  const clientId = new Ids().token();
  const canary = new Canary([clientId]);
  const hidden = secret();
  canary.add('a secret', hidden);
  canary.add('too short to tell', 'short');
  canary.learnAnswer('{"client_id":"known-to-everybody","state":"active"}');
  const lines = ['', 'short', clientId, 'known-to-everybody', 'active', hidden.slice(1), hidden.slice(0, -1)];
  expect(canary.leaks([...lines, hidden.toUpperCase().toLowerCase().slice(0, 20)])).toEqual([]);
});

it('is quick with many secrets and many lines', () => {
  const canary = new Canary();
  for (let n = 0; n < 2_000; n++) canary.add('a secret', secret());
  const line = JSON.stringify({ level: 'debug', text: randomBytes(150).toString('hex') });
  const startedAt = performance.now();
  expect(canary.leaks(Array.from({ length: 10_000 }, () => line))).toEqual([]);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});
