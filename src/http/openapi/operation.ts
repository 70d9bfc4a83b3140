// What one operation of the HTTP API says of itself. Types only; the tables are in operations/, one file per resource.
import type { z } from 'zod';
import type { HeaderName } from './headers.ts';
import type { ProblemCode } from './problems.ts';
import type { SchemaName } from './schemas.ts';

/** `either`: the admin key or the credentials of a service. */
export type Who = 'none' | 'admin' | 'service' | 'either';

export const tags = {
  Status: 'Whether the relay is alive, ready and well.',
  Bots: 'Twitch accounts that the relay acts as.',
  Authorizations: "How a Twitch user's grant reaches the relay.",
  'Service accounts': 'Who may log in to the relay.',
  Interests: 'What a service wants to be told about, and what there is to want.',
  Events: 'Reading the log, and how far each consumer has read.',
  Webhooks: 'Endpoints, the history of deliveries, replays.',
  Documentation: 'This description, and a page to read and try it.',
} as const;
export type Tag = keyof typeof tags;

/** An answer that is no refusal. */
export interface Answer {
  readonly description: string;
  /** Of a JSON answer. */
  readonly schema?: SchemaName;
  /** The answer is a JSON array of it. */
  readonly list?: true;
  /** Of an answer that is no JSON: its type, or those that Accept chooses from. */
  readonly contentType?: string | readonly string[];
  readonly headers?: readonly HeaderName[];
  /** Instead of the schema's own. */
  readonly example?: unknown;
}

export interface Operation {
  /** Unique, camelCase: generated clients name their functions after it. */
  readonly id: string;
  readonly method: 'get' | 'post' | 'patch' | 'delete';
  /** With parameters in braces. */
  readonly path: string;
  readonly tag: Tag;
  readonly who: Who;
  readonly summary: string;
  readonly description?: string;
  readonly pathParameters?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly body?: SchemaName;
  /** Whatever comes in the query is taken. */
  readonly lenient?: true;
  /** False: it answers while the database is away. */
  readonly database: boolean;
  readonly answers: Readonly<Record<number, Answer>>;
  /** Refusals of its own, beside those that follow from `who`, `body`, `query`, parameters and `database`. */
  readonly problems?: Readonly<Record<number, readonly ProblemCode[]>>;
  /** Statuses that are refusals with further members: the schema of the document. */
  readonly problemSchemas?: Readonly<Record<number, SchemaName>>;
}
