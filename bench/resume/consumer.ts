// The bench's end of a consumer's process: one question at a time, and its answer.
import { once } from 'node:events';
import { join } from 'node:path';
import { startChild, stopChild } from '../kit/child.ts';
import type { Closing } from '../kit/clean-up.ts';
import { consumerAnswer } from './consumer-messages.ts';
import type { ConsumerAnswer, ConsumerRequest } from './consumer-messages.ts';

type AnswerTo<Kind extends ConsumerAnswer['kind']> = Extract<ConsumerAnswer, { kind: Kind }>;

export interface ConsumerProcess {
  readonly pid: number | undefined;
  ask<Kind extends ConsumerAnswer['kind']>(request: ConsumerRequest, expected: Kind): Promise<AnswerTo<Kind>>;
}

/** What it opens, it adds to `closing`. */
export async function startConsumer(signal: AbortSignal, closing: Closing): Promise<ConsumerProcess> {
  const child = startChild({
    program: join(import.meta.dirname, 'consumer-main.ts'),
    // Its stdout is not ours to write on.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  closing.push(() => stopChild(child));
  const answer = async <Kind extends ConsumerAnswer['kind']>(expected: Kind): Promise<AnswerTo<Kind>> => {
    const heard = new AbortController();
    const options = { signal: AbortSignal.any([signal, heard.signal]) };
    try {
      const [message] = (await Promise.race([
        once(child, 'message', options),
        once(child, 'exit', options).then(() => Promise.reject(new Error('a consumer ended'))),
      ])) as [unknown];
      const parsed = consumerAnswer.parse(message);
      if (parsed.kind === 'failed') throw new Error(parsed.message);
      if (parsed.kind !== expected) throw new Error(`expected ${expected} of a consumer, got ${parsed.kind}`);
      return parsed as AnswerTo<Kind>;
    } finally {
      heard.abort();
    }
  };
  await answer('started');
  return {
    pid: child.pid,
    async ask(request, expected) {
      const answered = answer(expected);
      child.send(request);
      return answered;
    },
  };
}
