// What the bench and its receiver, two processes, say to each other. Shapes only.
import { z } from 'zod';

/** From the receiver. Instants are milliseconds since the epoch, with fractions. */
export const receiverMessage = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('listening'), port: z.number() }),
  /** Distinct arrivals and all requests so far; told when they change, a few times a second. */
  z.object({ kind: z.literal('progress'), events: z.number(), requests: z.number() }),
  z.object({
    kind: z.literal('report'),
    /** Key, first arrival, number of requests. */
    arrivals: z.array(z.tuple([z.string(), z.number(), z.number()])),
    /** Requests that were cut short or were no event: answered 400, and not among the arrivals. */
    refused: z.number(),
    /** Requests whose signature was looked at, and those of them whose signature was wrong. */
    verified: z.number(),
    forged: z.number(),
  }),
]);
export type ReceiverMessage = z.infer<typeof receiverMessage>;

/** The path of a receiver's only endpoint; with more than one, each has a path below it. */
export const basePath = '/events';
/** Of the event with this id at the endpoint with this path: the id alone for the only endpoint. */
export const arrivalKey = (id: string, path = basePath): string => id + path.slice(basePath.length);

/** On the receiver's command line: it answers no event. */
export const hangArgument = 'hang';

/** To the receiver. `secret`: from now on some of the signatures are looked at. */
export const receiverRequest = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('report') }),
  z.object({ kind: z.literal('secret'), secret: z.string() }),
]);
export type ReceiverRequest = z.infer<typeof receiverRequest>;
