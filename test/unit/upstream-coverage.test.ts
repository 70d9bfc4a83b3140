// Writing gaps down is one queue: nobody is told "all is written" while another caller's write is still under way.
import { expect, it } from 'vitest';
import { deferred } from '../../src/runtime/deferred.ts';
import { silentObserver } from '../../src/upstream/observer.ts';
import { Coverage } from '../../src/upstream/twitch/coverage.ts';
import { ShiftClock } from '../support/shift-clock.ts';

it('a second caller waits for the first one’s write', async () => {
  const writing = deferred<void>();
  const rows = new Map<string, number | null | undefined>();
  const unused = () => Promise.reject(new Error('not part of this'));
  const coverage = new Coverage({
    botId: 'bot',
    clock: new ShiftClock(),
    sink: { notification: () => undefined, declare: unused, durableUntil: (_, at) => at },
    observer: silentObserver,
    store: {
      bot: unused,
      botIds: unused,
      interestsOfBot: unused,
      removeInterests: unused,
      forgetBot: unused,
      topics: unused,
      forgetTopic: unused,
      interestsOf: unused,
      saveCoverage: unused,
      async updateTopic(id, patch) {
        await writing.promise;
        rows.set(id, patch.gapFrom);
      },
    },
  });
  coverage.open('t', 100, 'upstream_silence');
  const first = coverage.persist();
  const seen: (number | null | undefined)[] = [];
  const second = coverage.persist().then((all) => {
    seen.push(rows.get('t'));
    return all;
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual([]);
  writing.resolve();
  expect(await first).toBe(true);
  expect(await second).toBe(true);
  expect(seen).toEqual([100]);
});
