// What the bench and the crowd of idle sockets, two processes, say to each other. Shapes only.
import { z } from 'zod';

export const dialects = ['relay', 'ws', 'socket.io'] as const;
/** Which server the crowd talks to: what it has to say after the handshake and to a ping. */
export type Dialect = (typeof dialects)[number];

export const crowdRequest = z.object({
  port: z.number(),
  dialect: z.enum(dialects),
  /** One for each socket. */
  sockets: z.array(z.object({ path: z.string(), headers: z.record(z.string(), z.string()) })),
});
export type CrowdRequest = z.infer<typeof crowdRequest>;

export const crowdMessage = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('started') }),
  /** All are open, and the server has greeted each. */
  z.object({ kind: z.literal('connected'), sockets: z.number() }),
  z.object({ kind: z.literal('failed'), message: z.string() }),
]);
export type CrowdMessage = z.infer<typeof crowdMessage>;
