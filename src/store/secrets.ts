// Secrets that the relay gives out: made here, shown once, kept as a hash, or sealed where the relay itself must sign with
// them. They are 256 random bits, so a plain SHA-256 cannot be searched backwards and needs no salt.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** 256 random bits as base64url. */
export const newSecret = (): string => randomBytes(32).toString('base64url');

/** A signing secret as Standard Webhooks spells it: `whsec_` and 256 random bits as base64. */
export const newWebhookSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;

/** SHA-256 as hex. */
export const hashSecret = (secret: string): string => createHash('sha256').update(secret).digest('hex');

/** Whether the texts are equal, in a time that depends on neither their content nor where they differ. */
export function constantTimeEqual(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text).digest());
  return left !== undefined && right !== undefined && timingSafeEqual(left, right);
}
