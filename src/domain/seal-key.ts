// The form of an encryption key in the configuration. Pure; what a key does is in src/store/seal.ts.

/** AES-256. */
const sealKeyBytes = 32;

/** The key behind its text, or undefined when it is not 32 bytes as hex, base64 or base64url. */
export function parseSealKey(text: string): Buffer | undefined {
  const trimmed = text.trim();
  if (/^[0-9a-f]{64}$/i.test(trimmed)) return Buffer.from(trimmed, 'hex');
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(trimmed)) return undefined;
  const key = Buffer.from(trimmed, 'base64');
  return key.length === sealKeyBytes ? key : undefined;
}
