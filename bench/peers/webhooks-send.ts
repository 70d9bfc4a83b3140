// How every peer of the webhooks bench sends: signed as the relay signs, with undici's pool, one request at a time on each
// connection. Rejects unless the answer is a 2xx, so that a queue tries again.
import { createHmac, createSecretKey } from 'node:crypto';
import { Pool } from 'undici';
import { setting, type Notification } from './webhooks-upstream.ts';

export const concurrency = Number(setting('PEER_CONCURRENCY'));

const target = new URL(setting('PEER_TARGET_URL'));
const key = createSecretKey(Buffer.from(setting('PEER_SECRET').slice('whsec_'.length), 'base64'));
const pool = new Pool(target.origin, { connections: concurrency, pipelining: 1 });

export async function send({ id, text }: Notification): Promise<void> {
  const timestamp = String(Math.floor(Date.now() / 1_000));
  const signature = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(text).digest('base64');
  const { statusCode, body } = await pool.request({
    path: target.pathname,
    method: 'POST',
    headers: [
      'content-type',
      'application/json',
      'user-agent',
      'peer',
      'webhook-id',
      id,
      'webhook-timestamp',
      timestamp,
      'webhook-signature',
      `v1,${signature}`,
    ],
    body: text,
  });
  await body.dump();
  if (statusCode < 200 || statusCode > 299) throw new Error(`answered ${statusCode}`);
}
