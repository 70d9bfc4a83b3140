// A webhook request as it goes over the wire, head and body in one piece: the body is turned into bytes once, for its
// signature and for the socket. Pure.
import { errors } from 'undici';
import { webhookHeaders } from '../../protocol/webhook-signature.ts';
import type { Sign } from './signer.ts';
import type { Target } from './targets.ts';

export interface RequestParts {
  readonly target: Target;
  readonly userAgent: string;
  readonly id: string;
  /** Whole seconds since the Unix epoch. */
  readonly timestamp: number;
  readonly attempt: number;
  readonly cursor: string;
  readonly secrets: readonly string[];
  readonly body: string;
}

/** What the fixed parts of a head take, and of one signature: the rest is counted. */
const fixedBytes = 512;
const signatureBytes = 64;

/** What no header's value may have: it would end the line. */
const unwritable = /[^\t\x20-\x7e]/;

const starts = new WeakMap<Target, { readonly userAgent: string; readonly text: string }>();

/** Up to the event's id: the same for all requests to the target, which lives as long as it is called. */
function startOf(target: Target, userAgent: string): string {
  const known = starts.get(target);
  if (known?.userAgent === userAgent) return known.text;
  const text =
    `POST ${target.path} HTTP/1.1\r\nhost: ${target.host}\r\nconnection: keep-alive\r\n` +
    `content-type: application/json\r\nuser-agent: ${userAgent}\r\n${webhookHeaders.id}: `;
  starts.set(target, { userAgent, text });
  return text;
}

/** Throws what `sign` throws; and InvalidArgumentError when a header cannot be written. */
export function requestBytes(parts: RequestParts, sign: Sign): Buffer {
  const { target, userAgent, id, timestamp, attempt, cursor, secrets, body } = parts;
  if (unwritable.test(cursor) || unwritable.test(userAgent))
    throw new errors.InvalidArgumentError('a header that cannot be written');
  const room =
    fixedBytes +
    target.path.length +
    target.host.length +
    userAgent.length +
    id.length +
    cursor.length +
    signatureBytes * secrets.length;
  const bodyBytes = Buffer.byteLength(body);
  const bytes = Buffer.allocUnsafe(room + bodyBytes);
  bytes.write(body, room, 'utf8');
  const signature = sign(secrets, id, timestamp, bytes.subarray(room));
  const head =
    `${startOf(target, userAgent)}${id}\r\n${webhookHeaders.timestamp}: ${timestamp}\r\n` +
    `${webhookHeaders.signature}: ${signature}\r\n${webhookHeaders.attempt}: ${attempt}\r\n` +
    `${webhookHeaders.cursor}: ${cursor}\r\ncontent-length: ${bodyBytes}\r\n\r\n`;
  const start = room - head.length;
  bytes.write(head, start, 'latin1');
  return bytes.subarray(start);
}
