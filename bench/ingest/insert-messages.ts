// What the bench and the plain program that inserts, two processes, say to each other. Shapes only.
import { z } from 'zod';

/** `unnest`: one array per column. `values`: one parameter per value, as most programs do it. */
export const insertForms = ['unnest', 'values'] as const;
export type InsertForm = (typeof insertForms)[number];

export const insertRequest = z.object({
  form: z.enum(insertForms),
  batchRows: z.number(),
  rows: z.number(),
});
export type InsertRequest = z.infer<typeof insertRequest>;

export const insertAnswer = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('ready') }),
  z.object({ kind: z.literal('inserted'), seconds: z.number(), cpuSeconds: z.number() }),
  z.object({ kind: z.literal('failed'), message: z.string() }),
]);
export type InsertAnswer = z.infer<typeof insertAnswer>;
