// How the books are read out: the numbers of a tally, and what to say when they are not as they should be. Pure.
import { consumerNames, resultOf, settle } from './ledger.ts';
import type { Books } from './ledger.ts';

type Parts = readonly (readonly [string, number | string])[];

const listedLosses = 5;

/** While it runs: what has not arrived is under way. */
export function tallyOf(books: Books): Parts {
  const { lost, duplicated, reconnects, ...result } = resultOf(books);
  return [
    ['sent', result.sent],
    ['logged', result.logged],
    ...deliveredParts(books),
    ['gaps', gapsText(books)],
    ['owed', lost],
    ['duplicated', duplicated],
    ['reconnects', reconnects],
  ];
}

/** At the end, line by line. */
export function summaryOf(books: Books): readonly Parts[] {
  const result = resultOf(books);
  const again = consumerNames.reduce((sum, name) => sum + books.inboxes[name].again, 0);
  return [
    [
      ['sent', result.sent],
      ['logged', result.logged],
      ...deliveredParts(books),
      ['lost', result.lost],
      ['duplicated', result.duplicated],
    ],
    [
      ['gaps', gapsText(books)],
      ['announced redeliveries', again],
      ['webhook requests', result.webhook_attempts],
      ['reconnects', result.reconnects],
    ],
  ];
}

/** Sentences for people; none when all is well. */
export function complaintsOf({ happenings, inboxes }: Books): string[] {
  return consumerNames.flatMap((name) => {
    const { duplicated } = inboxes[name];
    const { owed } = settle(happenings, inboxes[name]);
    const lost = owed
      .slice(0, listedLosses)
      .map(
        ({ type, at, ids }) =>
          `  ${type} at ${new Date(at).toISOString()} (${ids.join(', ') || 'nobody subscribed'})`,
      );
    const few = owed.length > lost.length ? ['  …'] : [];
    return [
      ...(owed.length === 0
        ? []
        : [`${name} did not get ${owed.length} events that no gap tells of:`, ...lost, ...few]),
      ...(duplicated === 0 ? [] : [`${name} got ${duplicated} events twice, unannounced.`]),
    ];
  });
}

const deliveredParts = ({ inboxes }: Books): Parts =>
  consumerNames.map((name) => [name, inboxes[name].delivered]);

function gapsText({ log, happenings, inboxes }: Books): string {
  const missed = settle(happenings, inboxes['relay.v1']).told.length;
  return log.gaps === 0 ? '0' : `${log.gaps} (${missed} missed)`;
}
