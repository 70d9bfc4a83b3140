// The edge: bodies and queries become typed values or a refusal that names every field. Never echoes a secret.
import type { Context } from 'hono';
import type { z } from 'zod';
import { RelayError, type FieldError } from '../domain/errors.ts';

const secretField = /secret|token|key|password|authorization|url/i;
const maxShownLength = 80;
/** Nothing that is asked for lies deeper than two; what does is not walked down. */
const maxDepth = 16;
/** NUL and lone surrogates: text that PostgreSQL cannot store. */
// oxlint-disable-next-line no-control-regex -- NUL is what it looks for
const unstorable = /[\u0000\p{Surrogate}]/u;

/** The JSON body as the schema sees it. Throws 400 malformed_json, 415 unsupported_media_type, 422 validation. */
export async function parseBody<T extends z.ZodType>(c: Context, schema: T): Promise<z.output<T>> {
  const type = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (type !== 'application/json') {
    const given = type === '' ? 'none was given' : `"${type.slice(0, maxShownLength)}" was given`;
    throw new RelayError('unsupported_media_type', 415, `content-type must be application/json; ${given}`);
  }
  const text = await c.req.text().catch(refuseBrokenBody);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new RelayError('malformed_json', 400, 'the body is not valid JSON: expected one JSON object');
  }
  return validate(schema, value);
}

/** The query as the schema sees it; of a repeated parameter the first counts. */
export function parseQuery<T extends z.ZodType>(c: Context, schema: T): z.output<T> {
  return validate(schema, c.req.query());
}

/** Reading a body fails only by its sender's doing, though the error looks like any other lost connection's. */
export function refuseBrokenBody(error: unknown): never {
  if (error instanceof RelayError) throw error;
  throw new RelayError('incomplete_body', 400, 'the body ended before it was complete', { cause: error });
}

export function validate<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  refuseUnstorable(value);
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues.map((issue) => describe(issue, value));
  throw new RelayError('validation', 422, errors.map((error) => error.message).join('; '), { errors });
}

/** 422 for one field. */
export const fieldRefusal = (path: string, message: string, code = 'validation', status = 422): RelayError =>
  new RelayError(code, status, message, { errors: [{ path, message }] });

export function refuseUnstorable(value: unknown, path: readonly string[] = []): void {
  if (path.length > maxDepth) {
    const message = `${path[0]}: nested more than ${maxDepth} deep; nothing here is`;
    throw fieldRefusal(path[0] ?? '', message);
  }
  if (typeof value === 'string' && unstorable.test(value)) {
    const name = path.join('.');
    throw fieldRefusal(name, `${name || 'the value'} holds a NUL or a broken character: expected plain text`);
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [key, member] of Object.entries(value)) {
    refuseUnstorable(key, [...path, 'name of a member']);
    refuseUnstorable(member, [...path, key]);
  }
}

function describe(issue: z.core.$ZodIssue, input: unknown): FieldError {
  const path = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const named = issue.keys.map((key) => key.slice(0, maxShownLength)).join(', ');
    return { path: issue.keys[0] ?? path, message: `unknown member: ${named}` };
  }
  let value = input;
  for (const key of issue.path) {
    value =
      typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;
  }
  const name = path === '' ? 'the body' : path;
  return { path, message: `${name}: ${lowerFirst(issue.message)}; ${shown(path, value)}` };
}

function shown(path: string, value: unknown): string {
  if (value === undefined) return 'nothing was given';
  // A member further down may be a secret whatever this one is called.
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? 'an array was given' : 'an object was given';
  if (path === '' || secretField.test(path)) return 'what was given is not shown';
  const text = JSON.stringify(value) ?? typeof value;
  return `given ${text.length > maxShownLength ? `${text.slice(0, maxShownLength)}…` : text}`;
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);
