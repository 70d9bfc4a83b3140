// The forecast of Twitch's limits: what counts, what is free, and that a refusal and the sums agree.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  budgetLimits,
  costOf,
  fits,
  forecast,
  subscriptionLimit,
  type BudgetTopic,
} from '../../src/domain/budget.ts';
import { findType } from '../../src/upstream/twitch/catalog.ts';

const nobody = new Set<string>();
const online = (broadcaster: string, reportedCost: number | null = null): BudgetTopic => ({
  condition: { broadcaster_user_id: broadcaster },
  rule: findType('stream.online'),
  reportedCost,
});
const chat: BudgetTopic = {
  condition: { broadcaster_user_id: '1', user_id: '2' },
  rule: findType('channel.chat.message'),
  reportedCost: null,
};

describe('the cost of a topic', () => {
  test('is 1 for strangers, 0 with an authorization, a known user or an unknown type', () => {
    expect(costOf(online('1'), nobody)).toBe(1);
    expect(costOf(chat, nobody)).toBe(0);
    expect(costOf(online('1'), new Set(['1']))).toBe(0);
    expect(costOf({ ...online('1'), rule: undefined }, nobody)).toBe(0);
  });

  test('is what Twitch reported, if it did', () => {
    expect(costOf(online('1', 0), nobody)).toBe(0);
    expect(costOf({ ...chat, reportedCost: 3 }, nobody)).toBe(3);
  });
});

describe('the budget', () => {
  test('free topics fit up to 900, paid ones up to a cost of 10', () => {
    const chats = Array.from({ length: subscriptionLimit }, () => chat);
    expect(fits(chats.slice(1), chat, nobody).ok).toBe(true);
    const full = fits(chats, chat, nobody);
    expect(full.ok ? '' : full.message).toContain('900 of 900 used, 0 free');
    const paid = Array.from({ length: 10 }, (_, n) => online(String(n)));
    expect(fits(paid, online('x'), nobody)).toMatchObject({ ok: false, code: 'budget_exceeded' });
    expect(fits(paid, chat, nobody).ok).toBe(true);
  });

  test('adding whatever fits never passes a limit, and what is refused would pass one', () => {
    const topic = fc.oneof(
      fc.constant(chat),
      fc.nat(30).map((n) => online(String(n))),
      fc.tuple(fc.nat(30), fc.nat(3)).map(([n, cost]) => online(String(n), cost)),
    );
    fc.assert(
      fc.property(
        fc.array(topic, { maxLength: 60 }),
        fc.uniqueArray(fc.nat(30).map(String)),
        (wanted, ids) => {
          const known = new Set(ids);
          const taken: BudgetTopic[] = [];
          for (const one of wanted) {
            const verdict = fits(taken, one, known);
            const after = forecast([...taken, one], known);
            expect(verdict.ok).toBe(after.cost.used <= budgetLimits.cost || costOf(one, known) === 0);
            if (verdict.ok) taken.push(one);
          }
          expect(forecast(taken, known).cost.used).toBeLessThanOrEqual(budgetLimits.cost);
        },
      ),
    );
  });
});
