// Sealing of tokens for storage: AES-256-GCM under a key that the database never sees. Errors here say what is wrong
// with an envelope or a key and never hold what is inside either.
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { RelayError } from '../domain/errors.ts';
import { parseSealKey } from '../domain/seal-key.ts';

const ivBytes = 12;
const tagBytes = 16;

export interface Sealer {
  /** An envelope `v1.<key id>.<base64url of iv, ciphertext and tag>`, different each time, made with the first key. */
  seal(plain: string, context: string): string;
  /** The text again. Throws RelayError `seal_unknown_key`, `seal_tampered` or `seal_malformed`. */
  open(envelope: string, context: string): string;
  /** Whether the envelope was made with another key than the first: sealing again lets that key be retired. */
  needsReseal(envelope: string): boolean;
}

/**
 * Seals with the first key and opens with any. The `context` says what the text is for (`bot:<id>:access`) and is bound
 * into the envelope: moved to another row or column, it does not open. Keys are 32 bytes as base64 or hex.
 */
export function createSealer(keys: readonly string[]): Sealer {
  const parsed = keys.map((text) => {
    const key = parseSealKey(text);
    if (!key)
      throw new RelayError('seal_key_invalid', 500, 'A sealing key is not 32 bytes as base64 or hex.');
    return { id: keyId(key), key };
  });
  const [first] = parsed;
  if (!first) throw new RelayError('seal_key_invalid', 500, 'There is no sealing key.');
  const byId = new Map(parsed.map(({ id, key }) => [id, key]));
  return {
    seal: (plain, context) => `v1.${first.id}.${encrypt(first.key, plain, context).toString('base64url')}`,
    open(envelope, context) {
      const { id, sealed } = split(envelope);
      const key = byId.get(id);
      if (key) return decrypt(key, sealed, context);
      throw fault('seal_unknown_key', `sealed with key ${id}, which TOKEN_ENCRYPTION_KEY does not list`);
    },
    needsReseal: (envelope) => split(envelope).id !== first.id,
  };
}

/** The text, or undefined when no listed key opens it. */
export function openedOrNot(sealer: Sealer, envelope: string, context: string): string | undefined {
  try {
    return sealer.open(envelope, context);
  } catch (error) {
    if (error instanceof RelayError) return undefined;
    throw error;
  }
}

/** Names a key without telling anything about it. */
const keyId = (key: Buffer) =>
  createHash('sha256').update('relay-key-id').update(key).digest('hex').slice(0, 8);

function encrypt(key: Buffer, plain: string, context: string): Buffer {
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes });
  cipher.setAAD(Buffer.from(context));
  return Buffer.concat([iv, cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]);
}

function decrypt(key: Buffer, sealed: Buffer, context: string): string {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, ivBytes), {
    authTagLength: tagBytes,
  });
  decipher.setAAD(Buffer.from(context));
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  const body = sealed.subarray(ivBytes, sealed.length - tagBytes);
  try {
    return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
  } catch {
    throw fault('seal_tampered', 'changed, or belongs to another place');
  }
}

function split(envelope: string): { id: string; sealed: Buffer } {
  const match = /^v1\.([0-9a-f]{8})\.([A-Za-z0-9_-]+)$/.exec(envelope);
  const sealed = Buffer.from(match?.[2] ?? '', 'base64url');
  // An envelope has one spelling: otherwise unused bits at its end could be changed unnoticed.
  if (match?.[1] && sealed.length >= ivBytes + tagBytes && sealed.toString('base64url') === match[2]) {
    return { id: match[1], sealed };
  }
  throw fault('seal_malformed', 'not an envelope of this version');
}

const fault = (code: string, what: string) => new RelayError(code, 500, `A sealed value is ${what}.`);
