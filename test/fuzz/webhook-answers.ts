// Receivers that answer with whatever bytes: an outcome within the time, text that can be stored, and no connection left.
import fc from 'fast-check';
import { createEgressGuard } from '../../src/delivery/webhooks/egress/index.ts';
import type { Outcome } from '../../src/delivery/webhooks/outcome.ts';
import { createSender, defaultSendLimits } from '../../src/delivery/webhooks/sender.ts';
import { judge as verdictOf } from '../../src/delivery/webhooks/verdict.ts';
import { parseCidrs } from '../../src/domain/cidr.ts';
import { defaultEndpointSettings } from '../../src/domain/endpoint.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { NastyReceiver } from '../support/nasty-receiver.ts';
import { bytesAround, oddText } from './grammar.ts';
import { retryAfterText } from './retry-after.ts';
import { defineTarget, takenIf } from './target.ts';

const secret = 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD';
/** Of a request that nobody answers to the end. */
const totalMs = 400;

interface Given {
  readonly bytes: Buffer;
  /** Cut into so many writes. */
  readonly pieces: number;
  readonly behind: 'end' | 'reset' | 'stay';
}

const headerText = oddText.map((text) => text.replaceAll(/[\r\n]/g, ' ').slice(0, 80));
const headers = fc
  .record(
    {
      'Retry-After': fc.oneof(retryAfterText, headerText),
      'Content-Type': headerText,
      'X-Odd': fc.oneof(headerText, fc.constant('x'.repeat(20_000))),
      Location: fc.constant('http://169.254.169.254/'),
      Connection: fc.constantFrom('close', 'keep-alive', 'upgrade'),
    },
    { requiredKeys: [] },
  )
  .map((given) =>
    Object.entries(given)
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join(''),
  );
const bodies = fc.oneof(
  oddText,
  fc.constantFrom('', 'ok', secret, `key ${secret.slice(0, 20)}`, 'x'.repeat(100_000)),
);
const statuses = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(200, 204, 202) },
  { weight: 4, arbitrary: fc.constantFrom(301, 400, 404, 410, 429, 500, 503) },
  { weight: 1, arbitrary: fc.integer({ min: 100, max: 999 }) },
);
const framed = (body: string, isChunked: boolean) => {
  const bytes = Buffer.from(body);
  if (!isChunked) return `Content-Length: ${bytes.length}\r\n\r\n${body}`;
  const chunk = bytes.length === 0 ? '' : `${bytes.length.toString(16)}\r\n${body}\r\n`;
  return `Transfer-Encoding: chunked\r\n\r\n${chunk}0\r\n\r\n`;
};
const answers = fc
  .record({
    interim: fc.constantFrom('', '', '', 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'),
    status: statuses,
    reason: fc.constantFrom('', 'OK', 'Ümlaut'),
    headers,
    body: bodies,
    isChunked: fc.boolean(),
  })
  .map(({ interim, status, reason, headers: lines, body, isChunked }) => {
    const isBare = status === 204 || status === 304 || status < 200;
    return `${interim}HTTP/1.1 ${status} ${reason}\r\n${lines}${isBare ? '\r\n' : framed(body, isChunked)}`;
  });
const given: fc.Arbitrary<Given> = fc.record({
  bytes: fc.oneof(
    { weight: 4, arbitrary: answers.map((text) => Buffer.from(text)) },
    { weight: 4, arbitrary: bytesAround(answers) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) },
  ),
  pieces: fc.constantFrom(1, 1, 1, 2, 5),
  // Few: each of them takes the whole time.
  behind: fc.oneof(
    { weight: 97, arbitrary: fc.constant('end' as const) },
    { weight: 30, arbitrary: fc.constant('reset' as const) },
    { weight: 1, arbitrary: fc.constant('stay' as const) },
  ),
});

function check(outcome: Outcome): void {
  const { kind, status, retryAfterMs, durationMs } = outcome;
  const response = outcome.response ?? '';
  if (!response.isWellFormed() || response.includes('\0')) throw new Error('text that cannot be stored');
  if (Buffer.byteLength(response) > defaultSendLimits.keptAnswerBytes) throw new Error('too much is kept');
  if (response.includes(secret.slice(6, 26))) throw new Error('the secret is kept');
  if (durationMs > totalMs) throw new Error(`took ${durationMs} ms`);
  if (retryAfterMs !== null && !(Number.isSafeInteger(retryAfterMs) && retryAfterMs >= 0))
    throw new Error(`asked to wait for ${retryAfterMs} ms`);
  if (kind === 'success' && (status === null || status < 200 || status > 299))
    throw new Error(`${status} is a success`);
  if (kind === 'ours' || kind === 'aborted') throw new Error(`the relay takes it for its own doing: ${kind}`);
  const now = 1_000_000;
  const history = { attempt: 1, spent: 0, bornAt: now };
  const settings = defaultEndpointSettings;
  const verdict = verdictOf({
    outcome,
    history,
    settings,
    probing: false,
    now,
    random: 0.5,
    isReplay: false,
  });
  if (verdict.nextAt !== null && !Number.isFinite(verdict.nextAt))
    throw new Error(`due at ${verdict.nextAt}`);
  if (verdict.state === 'retrying' && verdict.nextAt === null) throw new Error('owed, and never due');
}

export const webhookAnswers = defineTarget({
  name: 'webhook-answers',
  what: 'a receiver that answers with any bytes, to the real sender',
  kind: 'live',
  deadlineMs: 15_000,
  async open() {
    let next: Given | undefined;
    const receiver = await NastyReceiver.start((socket) => {
      if (!next) return void socket.end('HTTP/1.1 204 No Content\r\n\r\n');
      const { bytes, pieces, behind } = next;
      const size = Math.max(1, Math.ceil(bytes.length / pieces));
      for (let at = 0; at < bytes.length; at += size) socket.write(bytes.subarray(at, at + size));
      if (behind === 'end') socket.end();
      if (behind === 'reset') socket.resetAndDestroy();
    });
    const allowed = parseCidrs('127.0.0.0/8');
    if (!allowed.ok) throw new Error(allowed.why);
    const guard = createEgressGuard({ allowedCidrs: allowed.cidrs });
    const sender = createSender({ guard, clock: systemClock, userAgent: 'fuzz', limits: { totalMs } });
    const { signal } = new AbortController();
    const request = {
      url: receiver.url(),
      body: '{}',
      id: 'id',
      cursor: 'c1',
      attempt: 1,
      secrets: [secret],
    };
    const send = () => sender.send(request, signal);
    return {
      input: given,
      async run(answer) {
        next = answer;
        const outcome = await send();
        check(outcome);
        return takenIf(outcome.kind === 'success');
      },
      async stillWorks() {
        next = undefined;
        const kinds: string[] = [];
        // Some may meet a connection that was kept and is closed just then.
        for (let tries = 0; tries < 5; tries++) kinds.push((await send()).kind);
        if (kinds.at(-1) !== 'success') throw new Error(`good answers are ${kinds.join(', ')}`);
      },
      async close() {
        await sender.close();
        await receiver[Symbol.asyncDispose]();
      },
    };
  },
});
