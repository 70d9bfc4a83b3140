// What a bench and a peer, two processes, say to each other. Shapes only; nothing of the peers' libraries.
import { z } from 'zod';

/** To the peer: whose notifications it gets, and where from. */
export const peerTask = z.object({
  helixUrl: z.string(),
  eventSubUrl: z.string(),
  clientId: z.string(),
  userId: z.string(),
  accessToken: z.string(),
  broadcasterIds: z.array(z.string()),
  /** Where its broker listens, for a peer that has one. */
  brokerPort: z.number().optional(),
});
export type PeerTask = z.infer<typeof peerTask>;

/** From the peer, once it is subscribed and consumers may come. */
export const peerMessage = z.object({ kind: z.literal('ready'), port: z.number() });
