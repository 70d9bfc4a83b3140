// What the bench and its receiver, two processes, say to each other. Shapes only.
import { z } from 'zod';

/** From the receiver. Instants are milliseconds since the epoch, with fractions. */
export const receiverMessage = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('listening'), port: z.number() }),
  /** Distinct events and all requests so far; told when they change, a few times a second. */
  z.object({ kind: z.literal('progress'), events: z.number(), requests: z.number() }),
  z.object({
    kind: z.literal('report'),
    /** Event id, first arrival, number of requests. */
    arrivals: z.array(z.tuple([z.string(), z.number(), z.number()])),
  }),
]);
export type ReceiverMessage = z.infer<typeof receiverMessage>;

/** To the receiver. */
export const reportRequest = 'report';
