// The signature of a request, as protocol/webhook-signature.ts has it, on the hot path: synchronous, keys decoded once.
// Must never put a secret into an error.
import { hash } from 'node:crypto';
import { decodeSecret, signatureHeader, signedPrefix } from '../../protocol/webhook-signature.ts';

/** More endpoints than one relay is likely to have; beyond that the oldest key is decoded anew. */
const maxKeys = 1_024;

/** The value of the signature header, one signature per secret. Throws for text that is no secret, without showing it. */
export type Sign = (
  secrets: readonly string[],
  id: string,
  timestamp: number,
  body: string | Buffer,
) => string;

/** Of SHA-256. No secret is longer than a block, so that a key is never hashed itself (RFC 2104). */
const [blockBytes, hashBytes] = [64, 32];
const [innerPad, outerPad] = [0x36, 0x5c];
const firstBytes = 4_096;

interface Key {
  /** What comes before the signed content, and before its hash. */
  readonly inner: Buffer;
  readonly outer: Buffer;
}

/**
 * HMAC-SHA256 as two hashes of one call each, over bytes that are put together in one place: an object of the runtime's for
 * each signature takes longer to make and to collect than the hashing.
 */
export function createSigner(): Sign {
  const keys = new Map<string, Key>();
  const outer = Buffer.alloc(blockBytes + hashBytes);
  let content = Buffer.alloc(firstBytes);

  const keyOf = (secret: string): Key => {
    const known = keys.get(secret);
    if (known) return known;
    const key = padded(decodeSecret(secret));
    const [oldest] = keys.keys();
    if (keys.size >= maxKeys && oldest !== undefined) keys.delete(oldest);
    keys.set(secret, key);
    return key;
  };

  /** Behind the place of the key's block. Answers where it ends. */
  const put = (prefix: string, body: string | Buffer): number => {
    const bodyBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    const bodyAt = blockBytes + Buffer.byteLength(prefix);
    const end = bodyAt + bodyBytes;
    if (end > content.length) content = Buffer.alloc(2 * end);
    content.write(prefix, blockBytes);
    if (typeof body === 'string') content.write(body, bodyAt);
    else body.copy(content, bodyAt);
    return end;
  };

  return (secrets, id, timestamp, body) => {
    const end = put(signedPrefix(id, timestamp), body);
    const signatures = secrets.map((secret) => {
      const key = keyOf(secret);
      key.inner.copy(content);
      key.outer.copy(outer);
      outer.write(hash('sha256', content.subarray(0, end), 'binary'), blockBytes, 'latin1');
      return hash('sha256', outer, 'base64');
    });
    return signatureHeader(signatures);
  };
}

function padded(key: Uint8Array): Key {
  const [inner, outer] = [Buffer.alloc(blockBytes, innerPad), Buffer.alloc(blockBytes, outerPad)];
  for (const [at, byte] of key.entries()) {
    inner[at] = innerPad ^ byte;
    outer[at] = outerPad ^ byte;
  }
  return { inner, outer };
}
