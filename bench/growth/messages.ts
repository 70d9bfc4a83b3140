// What the bench asks of a point of a curve, and what comes back. Shapes only.
import { z } from 'zod';

export const pointTask = z.object({
  databaseUrl: z.string(),
  /** With one interest each; events go to ten of them. */
  topics: z.number(),
  /** Beyond those: on topics of which nothing is sent. */
  otherInterests: z.number(),
  events: z.number(),
});
export type PointTask = z.infer<typeof pointTask>;

/** Of the process, from the first notification to the last delivery. */
export const pointResult = z.object({ microsecondsPerEvent: z.number(), delivered: z.number() });
export type PointResult = z.infer<typeof pointResult>;
