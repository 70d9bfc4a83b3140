// Small shapes that several parts of the HTTP API share. Not part of the public contract by themselves.
import { z } from 'zod';

export const uuid = z.uuid('expected a UUID');

/** A number as a query carries it. Spelt out, since to `Number` an empty text (a variable nobody set) is 0. */
export const numberText = (form: RegExp, min: number, max: number, expected: string) =>
  z.string().regex(form, expected).transform(Number).pipe(z.number().min(min, expected).max(max, expected));

/** The same for whole numbers. */
export const wholeText = (form: RegExp, min: number, max: number, expected: string) =>
  z
    .string()
    .regex(form, expected)
    .transform(Number)
    .pipe(z.int(expected).min(min, expected).max(max, expected));

/** How long an old secret may go on working: a week, in seconds. */
const maxGraceSeconds = 604_800;
export const graceText = wholeText(
  /^\d{1,6}$/,
  0,
  maxGraceSeconds,
  'expected a whole number of seconds, 0 to 604800',
);
