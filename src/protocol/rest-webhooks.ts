// Shapes of the HTTP API for webhook delivery: endpoints, the history of attempts, replays. A secret is in the one answer
// that hands it out and in no view.
import { z } from 'zod';
import { pageLimit } from './rest.ts';
import { graceText, uuid } from './scalars.ts';

export const endpointStates = ['healthy', 'open', 'disabled'] as const;

/** Where a service's webhook events go: one per URL, made by the first interest that names it. */
export const endpointView = z.looseObject({
  id: uuid,
  url: z.string(),
  description: z.string(),
  state: z
    .enum(endpointStates)
    .describe('open: only probes are sent; disabled: nothing is, until it is enabled again.'),
  code: z.string().nullable().describe('Why it is not healthy, for programs.'),
  reason: z.string().nullable().describe('The same for people.'),
  state_since: z.string(),
  failing_since: z.string().nullable().describe('The first failure since the last success.'),
  next_probe_at: z.string().nullable(),
  retry_profile: z.enum(['durable', 'realtime']),
  order: z
    .enum(['broadcaster', 'none'])
    .describe("broadcaster: a broadcaster's events one after the other, in their order."),
  max_age_seconds: z.number().nullable().describe('An older event is not sent any more; null: no limit.'),
  concurrency: z.number().describe('Requests under way at once, at most.'),
  position: z.string().describe('Everything up to this cursor is delivered, or waits to be sent again.'),
  head: z.string(),
  behind_events: z
    .number()
    .describe('Events behind the position that are still to be sent; far behind it is an upper bound.'),
  waiting: z.number().describe('Events up to the position that wait to be sent again.'),
  previous_secret_valid_until: z
    .string()
    .nullable()
    .describe('Until then the previous secret signs as well.'),
  created_at: z.string(),
});
export type EndpointView = z.infer<typeof endpointView>;

const maxAge = 'expected null, or a whole number of seconds, 1 to 604800';
const concurrency = 'expected a whole number from 1 to 64';
/** Members that are left out stay as they are. */
export const endpointPatch = z
  .strictObject({
    description: z
      .string('expected text of at most 200 characters')
      .max(200, 'expected text of at most 200 characters')
      .optional(),
    retry_profile: z.enum(['durable', 'realtime'], 'expected "durable" or "realtime"').optional(),
    order: z.enum(['broadcaster', 'none'], 'expected "broadcaster" or "none"').optional(),
    max_age_seconds: z.int(maxAge).min(1, maxAge).max(604_800, maxAge).nullable().optional(),
    concurrency: z.int(concurrency).min(1, concurrency).max(64, concurrency).optional(),
  })
  .refine((patch) => Object.values(patch).some((member) => member !== undefined), {
    error: 'expected at least one of description, retry_profile, order, max_age_seconds and concurrency',
  });
export type EndpointPatch = z.input<typeof endpointPatch>;

/** A day: long enough to bring the new secret to every receiver without haste. */
export const secretGraceSecondsDefault = 86_400;
export const secretGraceSeconds = graceText.default(secretGraceSecondsDefault);
export const endpointSecret = z.object({
  id: uuid,
  webhook_secret: z.string().describe('Given once; only what is sealed is kept.'),
  previous_valid_until: z.string().nullable(),
});
export type EndpointSecret = z.infer<typeof endpointSecret>;

/** What came of one request to a receiver. */
export const attemptOutcome = z.looseObject({
  outcome: z.string().describe('success, or which kind of answer or fault it was.'),
  status: z.number().nullable().describe('HTTP status; null when there was no answer.'),
  duration_ms: z.number(),
  response: z.string().nullable().describe('The beginning of the answer, or what went wrong.'),
});
export type AttemptOutcome = z.infer<typeof attemptOutcome>;

export const deliveryStates = ['delivered', 'retrying', 'failed', 'expired'] as const;

/** One try of one delivery, as it ended. Written late and in batches: it may trail the truth by a moment. */
export const attemptView = attemptOutcome.extend({
  id: z.string(),
  endpoint_id: uuid,
  event_id: z.string(),
  cursor: z.string(),
  event_type: z.string(),
  run: z.string().nullable().describe('The replay that it belongs to; null for the delivery itself.'),
  attempt: z.number(),
  state: z.enum(deliveryStates).describe('What became of the delivery by this attempt.'),
  started_at: z.string(),
  next_attempt_at: z.string().nullable(),
});
export type AttemptView = z.infer<typeof attemptView>;

export const attemptsQuery = z.object({
  endpoint: uuid.optional().describe('Only attempts to this endpoint.'),
  state: z
    .enum(deliveryStates, 'expected "delivered", "retrying", "failed" or "expired"')
    .optional()
    .describe('`retrying`: only what is still owed, each with its latest attempt.'),
  event: z
    .string()
    .min(1, 'expected the id of an event')
    .max(200, 'expected the id of an event')
    .optional()
    .describe('Only attempts to deliver the event with this id.'),
  run: uuid.optional().describe('Only attempts of this replay.'),
  limit: pageLimit.describe('How many there are to be on a page.'),
  after: z
    .string()
    .regex(/^[1-9]\d{0,14}$/, "expected an attempt's id")
    .optional()
    .describe('The id of the last attempt that is known: what is older follows.'),
});
/** As the client asks for it. */
export type AttemptsQuery = {
  readonly endpoint?: string | undefined;
  /** `retrying`: only what is still owed, each with its latest attempt. */
  readonly state?: (typeof deliveryStates)[number] | undefined;
  /** An event's id. */
  readonly event?: string | undefined;
  readonly run?: string | undefined;
  /** 1 to 1000, default 100. */
  readonly limit?: number | undefined;
  /** The id of the last attempt that is known: what is older follows. */
  readonly after?: string | undefined;
};

const time = z.iso.datetime({
  offset: true,
  error: 'expected an RFC 3339 time such as 2026-11-21T03:00:00Z',
});
const cursor = z
  .string('expected a cursor as the relay gave it')
  .max(200, 'expected a cursor as the relay gave it');
const eventIds = 'expected 1 to 1000 ids of events';
const kinds = [['event_ids'], ['from_cursor', 'to_cursor'], ['from', 'to']] as const;

/**
 * Which events are to be sent once more: by id, by position or by the time they were received. Exactly one of the three.
 * Ranges of cursors are read like `after`: what lies behind `from_cursor`, up to and including `to_cursor`. Ranges of time
 * include `from` and exclude `to`. An end that is left out is open. Only what the endpoint has passed and the log still
 * holds is replayed; the rest comes anyway, or is gone.
 */
export const replayBody = z
  .strictObject({
    endpoint_id: uuid,
    event_ids: z
      .array(z.string('expected the id of an event').min(1, eventIds).max(200, eventIds), eventIds)
      .min(1, eventIds)
      .max(1000, eventIds)
      .optional()
      .describe('Exactly one of these ids, a range of cursors and a range of times is given.'),
    from_cursor: cursor.optional().describe('What lies behind it.'),
    to_cursor: cursor.optional().describe('Up to and including it.'),
    from: time.optional().describe('Received at or after it.'),
    to: time.optional().describe('Received before it.'),
    dry_run: z.boolean('expected true or false').default(false).describe('Counts, and sends nothing.'),
  })
  .superRefine((body, context) => {
    const given = kinds.filter((names) => names.some((name) => body[name] !== undefined));
    if (given.length !== 1) {
      context.addIssue(
        'expected exactly one of event_ids, a range of cursors (from_cursor, to_cursor) and a range of times (from, to)',
      );
    } else if (
      body.from !== undefined &&
      body.to !== undefined &&
      Date.parse(body.from) >= Date.parse(body.to)
    ) {
      context.addIssue({ code: 'custom', path: ['to'], message: 'expected a time after "from"' });
    }
  });
export type ReplayBody = z.input<typeof replayBody>;
export const replayView = z.object({
  run: z.string().nullable().describe('Names the replay in the history; null when nothing was added.'),
  events: z.number().describe('How many events it concerns.'),
  dry_run: z.boolean(),
});
export type ReplayView = z.infer<typeof replayView>;
