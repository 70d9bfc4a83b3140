// Signatures of webhook requests, as Standard Webhooks has them: https://www.standardwebhooks.com
// For the sender's side and the receiver's. Pure: WebCrypto only, so that it runs in browsers and on the edge as well,
// and no imports. Must never put a secret into an error.

/** The headers of a webhook request. Only the first three are the standard's; `attempt` and `cursor` are not signed. */
export const webhookHeaders = {
  id: 'webhook-id',
  timestamp: 'webhook-timestamp',
  signature: 'webhook-signature',
  attempt: 'relay-attempt',
  cursor: 'relay-cursor',
} as const;

/** What every secret starts with; standard base64 of the key follows. */
export const secretPrefix = 'whsec_';

/** How long a key is, in bytes: the standard asks for 24 to 64. Those of the relay have 32. */
export const secretBytes = { min: 24, max: 64 } as const;

/** How far the sender's clock and the receiver's may be apart, as in every other implementation of the standard. */
const defaultToleranceSeconds = 300;

export type WebhookVerificationCode =
  'missing_header' | 'bad_timestamp' | 'too_old' | 'too_new' | 'bad_signature' | 'bad_secret';

/** The request is not to be trusted, or (`bad_secret`) cannot be judged. `code` is stable; the message is for people. */
export class WebhookVerificationError extends Error {
  override readonly name = 'WebhookVerificationError';
  readonly code: WebhookVerificationCode;

  constructor(code: WebhookVerificationCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface WebhookToSign {
  /** Each signs: two while a secret is being rotated. */
  readonly secrets: readonly string[];
  readonly id: string;
  /** Whole seconds since the Unix epoch. */
  readonly timestamp: number;
  readonly body: string | Uint8Array;
}

/** The three headers that sign a request. Rejects with a WebhookVerificationError (`bad_secret`). */
export async function signWebhook({ secrets, id, timestamp, body }: WebhookToSign) {
  const keys = decodeSecrets(secrets);
  const content = signedContent(id, timestamp, body);
  const values = await Promise.all(keys.map((key) => signature(key, content)));
  return {
    [webhookHeaders.id]: id,
    [webhookHeaders.timestamp]: String(timestamp),
    [webhookHeaders.signature]: signatureHeader(values),
  };
}

/** Fetch's `Headers`, or what Node and the frameworks on it have. Names in any case. */
export type WebhookHeaders = Headers | Readonly<Record<string, string | readonly string[] | undefined>>;

interface WebhookRequest {
  readonly headers: WebhookHeaders;
  /** Exactly as it arrived: parsed and written anew it would be another text. */
  readonly body: string | Uint8Array;
  /** How old or how far ahead the request may be; 300. */
  readonly toleranceSeconds?: number;
  /** The receiver's time; by default that of the platform. */
  readonly now?: Date;
}

export type WebhookToVerify = WebhookRequest &
  (
    | { readonly secret: string }
    /** Any of them will do: the old one and the new one while a secret is being rotated. */
    | { readonly secrets: readonly string[] }
  );

export interface VerifiedWebhook {
  /** Of the event: the same for every attempt. What to recognise a repetition by. */
  readonly id: string;
  /** When this attempt was signed, whole seconds since the Unix epoch. */
  readonly timestamp: number;
  /** Of this event to this endpoint, from 1 on; null if the header is missing or no number. Not signed: a hint. */
  readonly attempt: number | null;
  /** Where in the log the event stands; null if the header is missing. Not signed: a hint; the body's own is signed. */
  readonly cursor: string | null;
}

/**
 * Resolves only if the body is what a holder of one of the secrets signed, no longer ago than the tolerance. Rejects with
 * a WebhookVerificationError otherwise. The same request verifies again within that time: remember the ids.
 */
export async function verifyWebhook(request: WebhookToVerify): Promise<VerifiedWebhook> {
  const keys = decodeSecrets('secrets' in request ? request.secrets : [request.secret]);
  const id = required(request.headers, webhookHeaders.id);
  const timestamp = parseTimestamp(required(request.headers, webhookHeaders.timestamp));
  const given = required(request.headers, webhookHeaders.signature).split(' ');
  judgeAge(timestamp, request.now ?? new Date(), request.toleranceSeconds ?? defaultToleranceSeconds);

  const content = signedContent(id, timestamp, request.body);
  const values = await Promise.all(keys.map((key) => signature(key, content)));
  const expected = values.map((value) => signatureHeader([value]));
  // Every pair is compared, to the end: the time it takes does not tell how much of a guess was right.
  const matches = expected.flatMap((own) => given.filter((foreign) => sameText(own, foreign)));
  if (matches.length === 0)
    throw new WebhookVerificationError(
      'bad_signature',
      'no signature of the request is one of these secrets',
    );

  const attempt = header(request.headers, webhookHeaders.attempt);
  return {
    id,
    timestamp,
    attempt: attempt !== undefined && /^[1-9]\d{0,9}$/.test(attempt) ? Number(attempt) : null,
    cursor: header(request.headers, webhookHeaders.cursor) ?? null,
  };
}

/** What comes before the body in the signed content. */
export const signedPrefix = (id: string, timestamp: number): string => `${id}.${timestamp}.`;

/** The bytes that are signed; text is taken as UTF-8. */
export function signedContent(id: string, timestamp: number, body: string | Uint8Array) {
  const encoder = new TextEncoder();
  const prefix = encoder.encode(signedPrefix(id, timestamp));
  const rest = typeof body === 'string' ? encoder.encode(body) : body;
  const content = new Uint8Array(prefix.length + rest.length);
  content.set(prefix);
  content.set(rest, prefix.length);
  return content;
}

/** The value of the signature header: one HMAC-SHA256 per secret, each in base64. */
export const signatureHeader = (values: readonly string[]): string =>
  values.map((value) => `v1,${value}`).join(' ');

/** The key behind `whsec_…`. Throws a WebhookVerificationError (`bad_secret`), which does not show the secret. */
export function decodeSecret(secret: string) {
  const text = secret.slice(secretPrefix.length);
  const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
  if (!secret.startsWith(secretPrefix) || !base64.test(text))
    throw new WebhookVerificationError('bad_secret', `a secret is ${secretPrefix} followed by base64`);
  const key = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  if (key.length < secretBytes.min || key.length > secretBytes.max)
    throw new WebhookVerificationError(
      'bad_secret',
      `a secret has ${secretBytes.min} to ${secretBytes.max} bytes; this one has ${key.length}`,
    );
  return key;
}

function decodeSecrets(secrets: readonly string[]) {
  if (secrets.length === 0) throw new WebhookVerificationError('bad_secret', 'no secret was given');
  return secrets.map(decodeSecret);
}

async function signature(key: Uint8Array<ArrayBuffer>, content: Uint8Array<ArrayBuffer>): Promise<string> {
  const { subtle } = globalThis.crypto;
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await subtle.importKey('raw', key, algorithm, false, ['sign']);
  const mac = new Uint8Array(await subtle.sign('HMAC', imported, content));
  return btoa(String.fromCharCode(...mac));
}

function parseTimestamp(text: string): number {
  // Strict, so that the header has one spelling only: the signature is over the number.
  if (!/^(?:0|[1-9]\d{0,14})$/.test(text))
    throw new WebhookVerificationError(
      'bad_timestamp',
      `${webhookHeaders.timestamp} is to be whole seconds since the Unix epoch`,
    );
  return Number(text);
}

function judgeAge(timestamp: number, now: Date, toleranceSeconds: number): void {
  const ageSeconds = Math.floor(now.getTime() / 1_000) - timestamp;
  if (-ageSeconds > toleranceSeconds)
    throw new WebhookVerificationError(
      'too_new',
      `the request was signed ${-ageSeconds} s ahead of this clock`,
    );
  // Put so that a tolerance or a clock that is no number refuses: the text of an unset variable must not admit everything.
  if (!(ageSeconds <= toleranceSeconds))
    throw new WebhookVerificationError('too_old', `the request was signed ${ageSeconds} s ago`);
}

function required(headers: WebhookHeaders, name: string): string {
  const value = header(headers, name);
  if (value) return value;
  throw new WebhookVerificationError('missing_header', `the request has no ${name} header`);
}

function header(headers: WebhookHeaders, name: string): string | undefined {
  if (isHeaders(headers)) return headers.get(name) ?? undefined;
  const key = name in headers ? name : Object.keys(headers).find((other) => other.toLowerCase() === name);
  const value = key === undefined ? undefined : headers[key];
  return typeof value === 'object' ? value.join(' ') : value;
}

const isHeaders = (headers: WebhookHeaders): headers is Headers => typeof headers.get === 'function';

/** Takes as long for a difference at the start as for one at the end. */
function sameText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let index = 0; index < a.length; index++) difference |= a.charCodeAt(index) ^ b.charCodeAt(index);
  return difference === 0;
}
