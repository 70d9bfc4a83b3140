// Signatures of webhooks: against the official library in both directions, against the sender's synchronous signer, and
// that nothing else than what was signed verifies.
import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { createSigner } from '../../src/delivery/webhooks/signer.ts';
import {
  decodeSecret,
  signedContent,
  signWebhook,
  verifyWebhook,
  WebhookVerificationError,
  type WebhookHeaders,
  type WebhookVerificationCode,
} from '../../src/protocol/webhook-signature.ts';

const newSecret = (bytes = 32) => `whsec_${randomBytes(bytes).toString('base64')}`;
const secret = newSecret();
const id = 'befa7b53-d79d-478f-86b9-120f112b044e';
const body = '{"user_name":"Zoë 🦊","text":"\\u0000 „so“"}';
const nowSeconds = () => Math.floor(Date.now() / 1_000);

const signed = (over: { secrets?: string[]; timestamp?: number; body?: string | Uint8Array } = {}) =>
  signWebhook({ secrets: [secret], id, timestamp: nowSeconds(), body, ...over });

async function codeOf(verification: Promise<unknown>): Promise<WebhookVerificationCode | 'verified'> {
  try {
    await verification;
    return 'verified';
  } catch (error) {
    if (!(error instanceof WebhookVerificationError)) throw error;
    expect(error.message).not.toContain('whsec_A');
    return error.code;
  }
}

describe('with the official library', () => {
  it('verifies there what is signed here, UTF-8 and all', async () => {
    expect(new Webhook(secret).verify(body, await signed())).toEqual(JSON.parse(body));
  });

  it('verifies here what is signed there', async () => {
    const timestamp = nowSeconds();
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': new Webhook(secret).sign(id, new Date(timestamp * 1_000), body),
    };
    await expect(verifyWebhook({ secret, headers, body })).resolves.toEqual({
      id,
      timestamp,
      attempt: null,
      cursor: null,
    });
  });

  it('verifies with the old secret and with the new one while both sign', async () => {
    const next = newSecret();
    const headers = await signed({ secrets: [next, secret] });
    expect(headers['webhook-signature'].split(' ')).toHaveLength(2);
    for (const known of [secret, next]) {
      expect(new Webhook(known).verify(body, headers)).toEqual(JSON.parse(body));
      await expect(verifyWebhook({ secret: known, headers, body })).resolves.toMatchObject({ id });
    }
    expect(() => new Webhook(newSecret()).verify(body, headers)).toThrow('No matching signature');
    expect(await codeOf(verifyWebhook({ secret: newSecret(), headers, body }))).toBe('bad_signature');
  });

  it('makes the same signature of anything', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.stringMatching(/^[\w-]{1,40}$/),
        fc.integer({ min: 0, max: 4_102_444_800 }),
        fc.string({ unit: 'binary' }),
        fc.integer({ min: 24, max: 64 }),
        async (anyId, timestamp, text, bytes) => {
          const key = newSecret(bytes);
          const own = await signWebhook({ secrets: [key], id: anyId, timestamp, body: text });
          expect(own['webhook-signature']).toBe(
            new Webhook(key).sign(anyId, new Date(timestamp * 1_000), text),
          );
        },
      ),
    );
  });
});

describe("the sender's signer", () => {
  it('makes the same header as WebCrypto does, for one secret and for several, the first time and later', async () => {
    const sign = createSigner();
    const known = Array.from({ length: 4 }, () => newSecret());
    await fc.assert(
      fc.asyncProperty(
        fc.subarray(known, { minLength: 1 }),
        fc.nat(),
        fc.string({ unit: 'binary' }),
        async (secrets, timestamp, text) => {
          const headers = await signWebhook({ secrets, id, timestamp, body: text });
          expect(sign(secrets, id, timestamp, text)).toBe(headers['webhook-signature']);
        },
      ),
    );
  });

  it('goes on to sign rightly after more secrets than it remembers', async () => {
    const sign = createSigner();
    const first = sign([secret], id, 1, body);
    for (let n = 0; n < 1_100; n++) sign([newSecret()], id, 1, body);
    expect(sign([secret], id, 1, body)).toBe(first);
    expect(first).toBe((await signed({ timestamp: 1 }))['webhook-signature']);
  });
});

describe('verifyWebhook', () => {
  it('refuses every request of which one byte is another', async () => {
    const timestamp = nowSeconds();
    const headers = await signed({ timestamp });
    const bytes = new TextEncoder().encode(body);
    const part = fc.constantFrom('body', 'webhook-id', 'webhook-timestamp', 'webhook-signature');
    await fc.assert(
      fc.asyncProperty(part, fc.nat(), fc.integer({ min: 1, max: 255 }), async (what, at, bits) => {
        const changed: typeof headers & { body: Uint8Array } = { ...headers, body: bytes };
        if (what === 'body') changed.body = flipped(bytes, at, bits);
        else {
          const key = what as 'webhook-id';
          changed[key] = Buffer.from(flipped(Buffer.from(headers[key]), at, bits)).toString('latin1');
        }
        const { body: sent, ...sentHeaders } = changed;
        expect(await codeOf(verifyWebhook({ secret, headers: sentHeaders, body: sent }))).not.toBe(
          'verified',
        );
      }),
      { numRuns: 500 },
    );
    expect(await codeOf(verifyWebhook({ secret, headers, body: bytes }))).toBe('verified');
  });

  it('takes headers as fetch, Node and frameworks have them, and the body as text or bytes', async () => {
    const headers = await signed();
    const full = { ...headers, 'relay-attempt': '3', 'relay-cursor': 'c_17' };
    const forms: WebhookHeaders[] = [
      full,
      new Headers(full),
      Object.fromEntries(Object.entries(full).map(([name, value]) => [name.toUpperCase(), value])),
      Object.fromEntries(Object.entries(full).map(([name, value]) => [name, [value]])),
    ];
    const timestamp = Number(headers['webhook-timestamp']);
    for (const form of forms)
      for (const sent of [body, Buffer.from(body), new TextEncoder().encode(body)])
        expect(await verifyWebhook({ secrets: [newSecret(), secret], headers: form, body: sent })).toEqual({
          id,
          timestamp,
          attempt: 3,
          cursor: 'c_17',
        });
  });

  it('does not take for an attempt what is no number', async () => {
    for (const attempt of ['', '0', '-1', '1.5', '1e3', 'one', '99999999999'])
      expect(
        await verifyWebhook({ secret, headers: { ...(await signed()), 'relay-attempt': attempt }, body }),
      ).toMatchObject({ attempt: null });
  });

  it('names the header that is missing', async () => {
    const headers = await signed();
    for (const name of Object.keys(headers)) {
      const rest = Object.fromEntries(Object.entries(headers).filter(([other]) => other !== name));
      const verification = verifyWebhook({ secret, headers: rest, body });
      await expect(verification).rejects.toThrow(name);
      expect(await codeOf(verification)).toBe('missing_header');
    }
  });

  it('wants a time within the tolerance, on both sides', async () => {
    const timestamp = 1_800_000_000;
    const headers = await signed({ timestamp });
    const at = (seconds: number, toleranceSeconds?: number) =>
      codeOf(
        verifyWebhook({
          secret,
          headers,
          body,
          now: new Date((timestamp + seconds) * 1_000),
          ...(toleranceSeconds === undefined ? {} : { toleranceSeconds }),
        }),
      );
    expect(await at(300)).toBe('verified');
    expect(await at(301)).toBe('too_old');
    expect(await at(-300)).toBe('verified');
    expect(await at(-301)).toBe('too_new');
    expect(await at(6, 5)).toBe('too_old');
    expect(await at(3_600, 3_600)).toBe('verified');
    // What an unset variable or a bad date comes to admits nothing.
    expect(await at(0, Number('a'))).toBe('too_old');
    expect(await at(Number('a'))).toBe('too_old');
  });

  it('reads no time in anything but whole seconds', async () => {
    for (const text of ['now', '1.5', '-1', '0x10', '1e9', ' 1', '01', '9'.repeat(30)])
      expect(
        await codeOf(
          verifyWebhook({ secret, headers: { ...(await signed()), 'webhook-timestamp': text }, body }),
        ),
      ).toBe('bad_timestamp');
  });

  it('passes over signatures of other kinds and nonsense beside the right one', async () => {
    const headers = await signed();
    const right = headers['webhook-signature'];
    const verify = (value: string) =>
      codeOf(verifyWebhook({ secret, headers: { ...headers, 'webhook-signature': value }, body }));
    expect(await verify(`v1a,abc v2,xyz v1, ${right}`)).toBe('verified');
    expect(await verify(right.replace('v1,', 'v2,'))).toBe('bad_signature');
    expect(await verify(right.replace('v1,', ''))).toBe('bad_signature');
    expect(await verify(`${right}=`)).toBe('bad_signature');
  });
});

describe('a secret', () => {
  it('is whsec_ and the base64 of 24 to 64 bytes', async () => {
    for (const bytes of [24, 32, 64]) expect(decodeSecret(newSecret(bytes))).toHaveLength(bytes);
    const wrong = [
      '',
      'whsec_',
      newSecret(23),
      newSecret(65),
      newSecret().slice('whsec_'.length),
      `whsec_${'A'.repeat(43)}`,
      `whsec_${'A'.repeat(42)}-=`,
    ];
    for (const text of wrong) {
      const headers = await signed();
      expect(await codeOf(verifyWebhook({ secret: text, headers, body })), text).toBe('bad_secret');
      expect(await codeOf(signed({ secrets: [text] }))).toBe('bad_secret');
      expect(() => createSigner()([text], id, 1, body)).toThrow(WebhookVerificationError);
    }
    expect(await codeOf(signed({ secrets: [] }))).toBe('bad_secret');
  });
});

it('the signed content is id, time and body with dots between', () => {
  expect(Buffer.from(signedContent('a', 7, 'ü')).toString('utf8')).toBe('a.7.ü');
  expect(signedContent('a', 7, new Uint8Array([255]))).toEqual(new Uint8Array([...Buffer.from('a.7.'), 255]));
});

/** With some bits of one byte turned around. */
function flipped(bytes: Uint8Array, at: number, bits: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const index = at % copy.length;
  copy[index] = (copy[index] ?? 0) ^ bits;
  return copy;
}
