// Values that a zod schema takes, by way of its JSON Schema, so that a body that comes to the API needs no generator of its
// own. Knows what the schemas of the protocol use, and fails on anything else.
import fc from 'fast-check';
import { z } from 'zod';
import type { Json } from './grammar.ts';

type Schema = z.core.JSONSchema.JSONSchema;

/** Members with a meaning beyond their type: what they may be here. */
export type Known = Readonly<Record<string, fc.Arbitrary<Json>>>;

export function valuesOf(schema: z.ZodType, known: Known): fc.Arbitrary<Json> {
  return from(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema, known);
}

function from(schema: Schema, known: Known): fc.Arbitrary<Json> {
  const { enum: options, const: only, anyOf } = schema;
  if (only !== undefined) return fc.constant(only as Json);
  if (options) return fc.constantFrom(...(options as Json[]));
  if (anyOf) return fc.oneof(...anyOf.map((one) => from(one as Schema, known)));
  const make = typeof schema.type === 'string' ? makers[schema.type] : undefined;
  return make ? make(schema, known) : (fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>);
}

const whole = ({ minimum = 0, maximum = 100_000 }: Schema) => fc.integer({ min: minimum, max: maximum });
const makers: Readonly<Record<string, (schema: Schema, known: Known) => fc.Arbitrary<Json>>> = {
  string: (schema) => text(schema),
  number: whole,
  integer: whole,
  boolean: () => fc.boolean(),
  null: () => fc.constant(null),
  array: ({ items }, known) => fc.array(from((items ?? {}) as Schema, known), { maxLength: 3 }),
  object: (schema, known) => object(schema, known),
};

function text({ pattern, format, minLength = 0, maxLength = 60 }: Schema): fc.Arbitrary<string> {
  if (format === 'uuid') return fc.uuid();
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern));
  return fc.string({ unit: 'grapheme', minLength, maxLength: Math.min(maxLength, 60) });
}

function object(
  { properties, required = [], additionalProperties }: Schema,
  known: Known,
): fc.Arbitrary<Json> {
  const members = Object.entries(properties ?? {}).map(([name, member]) => {
    const own = from(member as Schema, known);
    const likely = known[name];
    const value = likely ? fc.oneof({ weight: 4, arbitrary: likely }, { weight: 1, arbitrary: own }) : own;
    return [name, value] as const;
  });
  const fixed = fc.record(Object.fromEntries(members), { requiredKeys: required });
  if (typeof additionalProperties !== 'object') return fixed as fc.Arbitrary<Json>;
  const more = fc.dictionary(fc.string({ maxLength: 20 }), from(additionalProperties as Schema, known), {
    maxKeys: 3,
  });
  return fc.tuple(fixed, more).map(([some, rest]) => ({ ...rest, ...some }) as Json);
}
