// The OpenAPI 3.1 document, made from the tables beside it. Pure: the same tables and version give the same document, in
// the same order. Knows no address, no path and no setting of the machine that it runs on.
import { STATUS_CODES } from 'node:http';
import { problemType } from '../../protocol/rest.ts';
import { components, parameters, schemaRef } from './json-schema.ts';
import { headers, type HeaderName } from './headers.ts';
import { tags, type Answer, type Operation, type Who } from './operation.ts';
import { operations } from './operations/index.ts';
import { problems, type ProblemCode } from './problems.ts';
import { anywhere, refusalsOf } from './refusals.ts';
import { schemas, type SchemaName } from './schemas.ts';

/** A kind of refusal with more codes than this belongs to one operation, and is called after it. */
const maxNamedCodes = 3;

type Json = Readonly<Record<string, unknown>>;

const description = `One EventSub connection for each bot, every notification logged, every service served: at least once,
in order, loss never silent.

**Logging in.** The admin sends \`X-Admin-Key\`. A service sends \`X-Client-Id\` and \`X-Client-Secret\`.

**Refusals** are problem documents (RFC 9457). \`code\` is stable and for programs, \`detail\` is for people,
\`request_id\` finds the request in the relay's log; it is in the header \`X-Request-Id\` too, and a request may bring its own.

**Lists** are JSON arrays. \`Link: <…>; rel="next"\` names the next page.

**Answers grow.** Ignore members that you do not know. Instants are RFC 3339, cursors are opaque.

Events over a WebSocket are described at [/asyncapi.json](/asyncapi.json).`;

const security: Readonly<Record<Who, readonly Json[]>> = {
  none: [],
  admin: [{ AdminKey: [] }],
  service: [{ ClientId: [], ClientSecret: [] }],
  either: [{ AdminKey: [] }, { ClientId: [], ClientSecret: [] }],
};
const key = (name: string, text: string) => ({ type: 'apiKey', in: 'header', name, description: text });
const securitySchemes = {
  AdminKey: key('X-Admin-Key', 'The key of the admin.'),
  ClientId: key('X-Client-Id', 'The id of a service account; goes with X-Client-Secret.'),
  ClientSecret: key('X-Client-Secret', 'The secret of a service account; goes with X-Client-Id.'),
};

export function openApiDocument({ version }: { readonly version: string }): Json {
  const sorted = [...operations].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  const paths: Record<string, Record<string, unknown>> = {};
  for (const operation of sorted) (paths[operation.path] ??= {})[operation.method] = render(operation);
  const shared = Object.fromEntries(
    sorted
      .flatMap((operation) => refusals(operation))
      .map(({ name, answer }) => [name, answer] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
  return {
    openapi: '3.1.0',
    info: {
      title: 'eventsub-relay',
      version,
      summary: 'EventSub for many services over few connections',
      description,
    },
    servers: [{ url: '/', description: 'The relay that serves this document' }],
    tags: Object.entries(tags).map(([name, text]) => ({ name, description: text })),
    paths,
    components: {
      schemas: components(schemas),
      headers: Object.fromEntries(Object.entries(headers).map(([name, entry]) => [name, header(entry)])),
      responses: { Refusal: otherRefusal(), ...shared },
      securitySchemes,
    },
  };
}

function render(operation: Operation): Json {
  const { id, tag, summary, who, query, pathParameters, body } = operation;
  const answers = new Map<string, Json>();
  for (const [status, answer] of Object.entries(operation.answers)) answers.set(status, success(answer));
  for (const { status, name } of refusals(operation)) {
    answers.set(String(status), { $ref: `#/components/responses/${name}` });
  }
  const inPath = pathParameters ? parameters(pathParameters) : [];
  const inQuery = query ? parameters(query) : [];
  const all = [
    ...inPath.map((one) => ({ ...one, in: 'path' })),
    ...inQuery.map((one) => ({ ...one, in: 'query' })),
  ];
  return {
    operationId: id,
    tags: [tag],
    summary,
    description: operation.description ?? `${summary}.`,
    security: security[who],
    ...(all.length > 0 ? { parameters: all } : {}),
    ...(body ? { requestBody: requestBody(body) } : {}),
    responses: {
      ...Object.fromEntries([...answers].sort(([a], [b]) => Number(a) - Number(b))),
      default: { $ref: '#/components/responses/Refusal' },
    },
  };
}

/** Each kind once, named after its status and codes: most operations refuse alike. */
function refusals(operation: Operation): { status: number; name: string; answer: Json }[] {
  return [...refusalsOf(operation)]
    .filter(([status]) => !(status in operation.answers))
    .map(([status, codes]) => {
      const answer = refusal(status, codes, operation.problemSchemas?.[status] ?? 'Problem');
      const kind = codes.length > maxNamedCodes ? [operation.id] : codes;
      return { status, name: [status, ...kind].join('.'), answer };
    });
}

const requestBody = (name: SchemaName) => ({
  required: true,
  content: { 'application/json': { schema: { $ref: schemaRef(name) }, example: schemas[name].example } },
});

function success(answer: Answer): Json {
  return { description: answer.description, ...headersOf(answer.headers ?? []), ...contentOf(answer) };
}

function contentOf({ schema, list, contentType, example }: Answer): Json {
  if (schema) {
    const one = { $ref: schemaRef(schema) };
    const shown = example ?? (list ? [schemas[schema].example] : schemas[schema].example);
    const type = list ? { type: 'array', items: one } : one;
    return { content: { 'application/json': { schema: type, example: shown } } };
  }
  if (contentType === undefined) return {};
  const content = { schema: { type: 'string' }, ...(example === undefined ? {} : { example }) };
  return { content: Object.fromEntries([contentType].flat().map((type) => [type, content])) };
}

/** By the name that the header has on the wire. */
const headersOf = (names: readonly HeaderName[]): Json =>
  names.length === 0
    ? {}
    : {
        headers: Object.fromEntries(
          names.map((name) => [headers[name].name, { $ref: `#/components/headers/${name}` }]),
        ),
      };

const header = (entry: (typeof headers)[HeaderName]): Json => ({
  description: entry.description,
  required: entry.required,
  schema: { type: entry.type },
  example: entry.example,
});

const headersOfRefusal: Readonly<Record<number, readonly HeaderName[]>> = {
  401: ['WwwAuthenticate'],
  429: ['RetryAfter'],
  503: ['RetryAfter'],
};

function refusal(status: number, codes: readonly ProblemCode[], schema: SchemaName): Json {
  const [first] = codes;
  const code = first ?? 'internal_error';
  const base = schemas[schema].example as Json;
  const example = {
    ...base,
    ...(schema !== 'CursorProblem'
      ? { type: problemType(code), title: STATUS_CODES[status], status, detail: problems[code].meaning, code }
      : {}),
  };
  const narrowed = { type: 'object', properties: { code: { enum: codes } } };
  return {
    description: codes.map((each) => `\`${each}\`: ${problems[each].meaning}`).join('\n\n'),
    ...headersOf(['NoStore', ...(headersOfRefusal[status] ?? [])]),
    content: {
      'application/problem+json': { schema: { allOf: [{ $ref: schemaRef(schema) }, narrowed] }, example },
    },
  };
}

function otherRefusal(): Json {
  const lines = Object.entries(anywhere).flatMap(([status, codes]) =>
    codes.map((code) => `- ${status} \`${code}\`: ${problems[code].meaning}`),
  );
  return {
    description: ['What any request may be answered with:', '', ...lines].join('\n'),
    content: {
      'application/problem+json': {
        schema: { $ref: schemaRef('Problem') },
        example: schemas.Problem.example,
      },
    },
  };
}
