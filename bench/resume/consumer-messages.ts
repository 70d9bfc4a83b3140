// What the bench and its consumers, processes of their own, say to each other. Shapes only.
import { z } from 'zod';

const place = {
  /** `ws://…/ws/events` with the query. */
  url: z.string(),
  clientId: z.string(),
  clientSecret: z.string(),
};

export const consumerRequest = z.discriminatedUnion('kind', [
  /** Reads so many events and leaves. */
  z.object({ kind: z.literal('read'), ...place, events: z.number() }),
  /** Notes when each event comes, until it is asked. */
  z.object({ kind: z.literal('follow'), ...place }),
  z.object({ kind: z.literal('report') }),
]);
export type ConsumerRequest = z.infer<typeof consumerRequest>;

/** Instants are milliseconds since the epoch, with fractions. */
export const consumerAnswer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('started') }),
  z.object({
    kind: z.literal('read'),
    events: z.number(),
    askedAt: z.number(),
    firstAt: z.number(),
    lastAt: z.number(),
    lastCursor: z.string(),
  }),
  z.object({ kind: z.literal('following') }),
  z.object({ kind: z.literal('report'), arrivals: z.array(z.tuple([z.string(), z.number()])) }),
  z.object({ kind: z.literal('failed'), message: z.string() }),
]);
export type ConsumerAnswer = z.infer<typeof consumerAnswer>;
