// What a bench and its swarm of consumers, two processes, say to each other. Shapes only.
import { z } from 'zod';

export const dialects = ['relay.v1', 'plain', 'socket.io', 'nats'] as const;
export type Dialect = (typeof dialects)[number];

/** One consumer's socket. */
export const socketSpec = z.object({
  path: z.string(),
  headers: z.record(z.string(), z.string()).default({}),
  /** For NATS: what it subscribes to. */
  subject: z.string().optional(),
});
export type SocketSpec = z.input<typeof socketSpec>;

/** To the swarm. */
export const swarmRequest = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('connect'),
    dialect: z.enum(dialects),
    port: z.number(),
    sockets: z.array(socketSpec),
  }),
  /** Counts from 0 again; keeps, or does not keep, when each event came. */
  z.object({ kind: z.literal('begin'), keepTimes: z.boolean() }),
  z.object({ kind: z.literal('report') }),
]);
export type SwarmRequest = z.input<typeof swarmRequest>;

/** From the swarm. Instants are milliseconds since the epoch, with fractions. */
export const swarmMessage = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('connected') }),
  z.object({ kind: z.literal('begun') }),
  z.object({ kind: z.literal('failed'), why: z.string() }),
  z.object({ kind: z.literal('progress'), deliveries: z.number(), lastAt: z.number() }),
  z.object({
    kind: z.literal('report'),
    /** By socket, in the order of `connect`. */
    deliveries: z.array(z.number()),
    lastAt: z.number(),
    bytes: z.number(),
    /** By event id, when times are kept. */
    times: z.record(z.string(), z.array(z.number())),
  }),
]);
export type SwarmMessage = z.infer<typeof swarmMessage>;
