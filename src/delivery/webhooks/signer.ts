// The signature of a request, as protocol/webhook-signature.ts has it, on the hot path: synchronous, keys decoded once.
// Must never put a secret into an error.
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { decodeSecret, signatureHeader, signedPrefix } from '../../protocol/webhook-signature.ts';

/** More endpoints than one relay is likely to have; beyond that the oldest key is decoded anew. */
const maxKeys = 1_024;

/** The value of the signature header, one signature per secret. Throws for text that is no secret, without showing it. */
export type Sign = (secrets: readonly string[], id: string, timestamp: number, body: string) => string;

export function createSigner(): Sign {
  const keys = new Map<string, KeyObject>();
  const keyOf = (secret: string): KeyObject => {
    const known = keys.get(secret);
    if (known) return known;
    const key = createSecretKey(decodeSecret(secret));
    const [oldest] = keys.keys();
    if (keys.size >= maxKeys && oldest !== undefined) keys.delete(oldest);
    keys.set(secret, key);
    return key;
  };
  return (secrets, id, timestamp, body) => {
    const prefix = signedPrefix(id, timestamp);
    return signatureHeader(
      secrets.map((secret) =>
        createHmac('sha256', keyOf(secret)).update(prefix).update(body).digest('base64'),
      ),
    );
  };
}
