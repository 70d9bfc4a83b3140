// What the client does after each way in which a connection can end: the whole table of close codes, and the back-off.
import { describe, expect, it } from 'vitest';
import { RelayApiError, RelayClosedError } from '../../src/client/index.ts';
import type { LinkEnd, RetryState } from '../../src/client/retry.ts';
import { afterEnd, afterLoginError, freshRetryState, maxBackOffMs } from '../../src/client/retry.ts';
import { closeCodes } from '../../src/protocol/index.ts';

const half = () => 0.5;
const end = (code: number, more: Partial<LinkEnd> = {}): LinkEnd => ({
  code,
  reason: '',
  livedMs: 10,
  ...more,
});
const after = (state: RetryState, ending: LinkEnd) => afterEnd(state, ending, half);

describe('afterEnd', () => {
  for (const [name, { code, advice }] of Object.entries(closeCodes)) {
    it(`obeys the advice for ${code} (${name})`, () => {
      const { decision } = after(freshRetryState, end(code));
      expect(decision.do).toBe(advice === 'stop' ? 'stop' : 'reconnect');
      if (decision.do === 'stop') {
        expect(decision.error).toBeInstanceOf(RelayClosedError);
        expect(decision.error).toMatchObject({ code, advice });
      }
    });
  }

  it('takes the code from the error frame when the close frame was lost', () => {
    const error = { code: 'replaced', message: 'another one took over', retryAfterMs: null };
    const { decision } = after(freshRetryState, end(1006, { error }));
    expect(decision).toMatchObject({ do: 'stop', error: { code: 4409, reason: 'another one took over' } });
  });

  it('renews credentials once, and stops when they are refused again', () => {
    const first = after(freshRetryState, end(4401, { livedMs: null }));
    expect(first.decision).toMatchObject({ do: 'reconnect', inMs: 0 });
    const second = after(first.state, end(4401, { livedMs: null }));
    expect(second.decision).toMatchObject({ do: 'stop', error: { code: 4401, advice: 'renew_credentials' } });
  });

  it('may renew again after a connection that worked', () => {
    const first = after(freshRetryState, end(4401, { livedMs: null }));
    expect(after(first.state, end(4401, { livedMs: 5 })).decision.do).toBe('reconnect');
  });

  it('backs off further each time, up to a limit, and starts over after a stable connection', () => {
    const waits: number[] = [];
    let state: RetryState = freshRetryState;
    for (let i = 0; i < 10; i++) {
      const step = after(state, end(1006, { livedMs: i % 2 ? null : 29_999 }));
      if (step.decision.do === 'reconnect') waits.push(step.decision.inMs);
      state = step.state;
    }
    expect(waits).toEqual(waits.toSorted((a, b) => a - b));
    expect(waits.at(-1)).toBe(maxBackOffMs * 0.75);
    expect(after(state, end(1006, { livedMs: 30_000 })).state.failures).toBe(1);
  });

  it('never comes back before the relay asked it to', () => {
    const error = { code: 'overload', message: 'busy', retryAfterMs: 5_000 };
    const { decision } = after(freshRetryState, end(1013, { error }));
    expect(decision).toMatchObject({ do: 'reconnect', inMs: 5_250 });
  });

  it('comes back at its own moment within an announced restart, without counting a failure', () => {
    const { decision, state } = after(freshRetryState, end(1012, { comeBackInMs: 1_234 }));
    expect(decision).toMatchObject({ do: 'reconnect', inMs: 1_234 });
    expect(state.failures).toBe(0);
  });
});

describe('afterLoginError', () => {
  const refusal = (status: number, retryAfterMs: number | null = null) =>
    new RelayApiError('POST /v1/ws-token', { status, code: 'c', detail: 'd', retryAfterMs });

  it.each([
    [401, 4401],
    [403, 4403],
    [410, 4410],
  ])('stops on %i with %i', (status, code) => {
    const { decision } = afterLoginError(freshRetryState, refusal(status), half);
    expect(decision).toMatchObject({ do: 'stop', error: { name: 'RelayClosedError', code } });
  });

  it('stops with the answer itself when the address is wrong', () => {
    const error = refusal(404);
    expect(afterLoginError(freshRetryState, error, half).decision).toEqual({ do: 'stop', error });
  });

  it.each([0, 408, 429, 500, 503])('backs off on %i', (status) => {
    expect(afterLoginError(freshRetryState, refusal(status), half).decision.do).toBe('reconnect');
  });

  it('honours Retry-After', () => {
    const { decision } = afterLoginError(freshRetryState, refusal(503, 8_000), half);
    expect(decision).toMatchObject({ inMs: 8_400 });
  });

  it("retries a network failure of the caller's own token function and nothing else of it", () => {
    expect(afterLoginError(freshRetryState, new TypeError('fetch failed'), half).decision.do).toBe(
      'reconnect',
    );
    expect(afterLoginError(freshRetryState, new Error('bug'), half).decision.do).toBe('stop');
  });
});
