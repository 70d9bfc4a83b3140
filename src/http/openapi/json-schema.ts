// From zod to JSON Schema 2020-12, as OpenAPI 3.1 and AsyncAPI 3 take it. Pure. Never adds a rule that the zod schema does
// not have.
import { z } from 'zod';

export type JsonSchema = Readonly<Record<string, unknown>>;
export type Io = 'input' | 'output';

export interface Named {
  readonly schema: z.ZodType;
  /** How a caller writes it, or how the relay answers with it. */
  readonly io: Io;
}

/** Where both documents keep their schemas. */
export const schemaRef = (name: string): string => `#/components/schemas/${name}`;

/** What zod adds for its own sake: patterns beside a format that says the same, the bounds of what a double can count. */
const noise = (schema: Record<string, unknown>): void => {
  if (typeof schema['format'] === 'string') delete schema['pattern'];
  if (schema['maximum'] === Number.MAX_SAFE_INTEGER) delete schema['maximum'];
  if (schema['minimum'] === Number.MIN_SAFE_INTEGER) delete schema['minimum'];
  delete schema['$schema'];
  delete schema['$id'];
};

const optionsFor = (io: Io) => ({
  io,
  unrepresentable: 'any' as const,
  override({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: Record<string, unknown> }) {
    noise(jsonSchema);
    // Answers grow: whoever reads them ignores what is new. Only a request may be closed, and says so with a strict object.
    const closed = io === 'input' && jsonSchema['additionalProperties'] === false;
    if (zodSchema._zod.def.type === 'object' && !closed) delete jsonSchema['additionalProperties'];
  },
});

/** A component for each name, sorted by name; a schema that another one holds becomes a reference to it. */
export function components(named: Readonly<Record<string, Named>>): Record<string, JsonSchema> {
  const found: Record<string, JsonSchema> = {};
  for (const io of ['input', 'output'] as const) {
    const registry = z.registry<{ id?: string | undefined }>();
    for (const [name, entry] of Object.entries(named)) {
      if (entry.io === io) registry.add(entry.schema, { id: name });
    }
    const { schemas } = z.toJSONSchema(registry, { ...optionsFor(io), uri: schemaRef });
    for (const [name, schema] of Object.entries(schemas)) found[name] = withoutNames(schema);
  }
  return Object.fromEntries(Object.entries(found).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function withoutNames(schema: object): JsonSchema {
  const { $schema: _schema, $id: _id, id: _name, ...rest } = schema as Record<string, unknown>;
  return rest;
}

export interface Parameter {
  readonly name: string;
  readonly required: boolean;
  readonly description: string | undefined;
  readonly schema: JsonSchema;
}

/** The members of an object as parameters, in their order: a number in a query is shown as the number it stands for. */
export function parameters(object: z.ZodObject): Parameter[] {
  const written = z.toJSONSchema(object, optionsFor('input'));
  return Object.entries(object.shape).map(([name, member]) => {
    const { description, ...schema } = withoutNames(z.toJSONSchema(member, optionsFor('output')));
    return {
      name,
      required: written.required?.includes(name) ?? false,
      description: typeof description === 'string' ? description : undefined,
      schema,
    };
  });
}
