// Which refusals an operation may answer with: its own, and those that follow from who may call it, what it takes and
// whether it needs the database. Pure.
import type { Operation } from './operation.ts';
import type { ProblemCode } from './problems.ts';

type Refusals = Readonly<Record<number, readonly ProblemCode[]>>;

const byCredentials: Refusals = { 401: ['unauthorized'], 429: ['too_many_failed_logins'] };
const byAccount: Refusals = { 403: ['account_disabled'] };
const byBody: Refusals = {
  400: ['malformed_json'],
  413: ['body_too_large'],
  415: ['unsupported_media_type'],
};
const byValues: Refusals = { 422: ['validation'] };
const byDatabase: Refusals = { 503: ['database_unavailable'] };

/** What any request may be answered with, whatever it asks for; the document says it once, as the default answer. */
export const anywhere: Refusals = {
  400: ['malformed_path', 'malformed_request'],
  403: ['address_not_allowed'],
  404: ['not_found'],
  405: ['method_not_allowed'],
  408: ['request_timeout'],
  414: ['url_too_long'],
  417: ['unknown_expectation'],
  431: ['headers_too_large', 'too_many_headers'],
  500: ['internal_error'],
};

/** Status to codes, both in rising order. */
export function refusalsOf(operation: Operation): Map<number, readonly ProblemCode[]> {
  const { who, body, query, pathParameters, database, lenient = false } = operation;
  const sources: readonly Refusals[] = [
    ...(who === 'none' ? [] : [byCredentials]),
    ...(who === 'service' || who === 'either' ? [byAccount] : []),
    ...(body ? [byBody] : []),
    ...(!lenient && (body || query || pathParameters) ? [byValues] : []),
    ...(database ? [byDatabase] : []),
    operation.problems ?? {},
  ];
  const found = new Map<number, Set<ProblemCode>>();
  for (const source of sources) {
    for (const [status, codes] of Object.entries(source)) {
      const known = found.get(Number(status)) ?? new Set();
      for (const code of codes) known.add(code);
      found.set(Number(status), known);
    }
  }
  return new Map([...found].sort(([a], [b]) => a - b).map(([status, codes]) => [status, [...codes].sort()]));
}
