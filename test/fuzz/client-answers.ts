// What the client library makes of whatever answers its calls: what was promised, or a RelayApiError that shows no secret.
import fc from 'fast-check';
import { createRelayClient, RelayApiError } from '../../src/client/index.ts';
import { bodyAround, oddText, type Json } from './grammar.ts';
import { retryAfterText } from './retry-after.ts';
import { defineTarget, takenIf } from './target.ts';

const secret = 'a-secret-that-must-not-show';
const consumer: Json = {
  name: 'desk',
  position: 'c1',
  head: 'c2',
  behind_events: 1,
  connected: false,
  updated_at: '2026-11-21T15:00:00Z',
};
const problem: Json = {
  type: 'urn:eventsub-relay:problem:unauthorized',
  title: 'Unauthorized',
  status: 401,
  detail: 'no',
  code: 'unauthorized',
  request_id: 'r',
  errors: [{ path: 'a', message: 'b' }],
};
type Call = 'consumers' | 'events' | 'interests';
const right: Readonly<Record<Call, Json>> = {
  consumers: [consumer],
  events: { events: [], next: 'c1', head: 'c1' },
  interests: [],
};

interface Given {
  readonly call: Call;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}
const link = fc.constantFrom(
  '</v1/interests?after=1>; rel="next"',
  '<>; rel=next',
  '<http://[>; rel="next"',
  '<;',
);
const header = (text: string) => text.replaceAll(/[^\x21-\x7e ]/g, '').trim();
const given: fc.Arbitrary<Given> = fc.constantFrom(...(Object.keys(right) as Call[])).chain((call) =>
  fc.record({
    call: fc.constant(call),
    status: fc.oneof(fc.constant(200), fc.constantFrom(200, 401, 404, 422, 429, 500, 503)),
    headers: fc.record(
      {
        'retry-after': fc.oneof(retryAfterText, oddText).map(header),
        link: fc.oneof(link, oddText).map(header),
        'content-type': fc.constantFrom('application/json', 'text/html'),
      },
      { requiredKeys: [] },
    ),
    body: fc.oneof(
      { weight: 3, arbitrary: bodyAround(fc.constant(right[call])) },
      { weight: 2, arbitrary: bodyAround(fc.constant(problem)) },
    ),
  }),
);

async function judge({ call, status, headers, body }: Given): Promise<boolean> {
  let asked = 0;
  const login = { url: 'http://relay.invalid', clientId: 'c', clientSecret: secret };
  const client = createRelayClient(login, {
    // One page more at the most: a list that never ends is nothing that a relay answers.
    fetch: async () => {
      asked += 1;
      return asked === 1
        ? new Response(new Uint8Array(body), { status, headers })
        : new Response('[]', { status: 200 });
    },
  });
  const calls: Readonly<Record<Call, () => Promise<unknown>>> = {
    consumers: () => client.consumers(),
    events: () => client.pull({ after: 'c1' }),
    interests: () => client.interests.list(),
  };
  try {
    await calls[call]();
    return true;
  } catch (error) {
    if (!(error instanceof RelayApiError)) throw new Error('an error that is not its own', { cause: error });
    if (error.message.includes(secret)) throw new Error('the secret shows', { cause: error });
    const { retryAfterMs } = error;
    if (retryAfterMs !== null && !(Number.isFinite(retryAfterMs) && retryAfterMs >= 0))
      throw new Error(`asked to come back in ${retryAfterMs} ms`, { cause: error });
    return false;
  }
}

export const clientAnswers = defineTarget({
  name: 'client-answers',
  what: 'answers of a relay, as the client library takes them',
  kind: 'pure',
  deadlineMs: 5_000,
  async open() {
    return { input: given, run: async (input) => takenIf(await judge(input)) };
  },
});
