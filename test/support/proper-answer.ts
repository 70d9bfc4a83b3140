// What every answer of the API must be like, whatever was asked: the headers of every answer, and for a refusal a problem
// document that says what is wrong. Tells what is not so; who calls decides what that means.
import { problem } from '../../src/protocol/rest.ts';
import { answerHeaders } from '../../src/runtime/answer-headers.ts';
import type { Answer, Garbage } from './garbage.ts';

/** Documented to be 503: not ready, or Twitch does not answer. Nothing else above 499 is. */
const unavailable: ReadonlySet<string> = new Set(['twitch_unreachable', 'database_unavailable']);
/** Of a person's page. */
const pageStatuses: ReadonlySet<number> = new Set([400, 403, 409, 503]);

/** What is wrong with the answer; undefined when nothing is. */
export function complaintOf(given: Pick<Garbage, 'method' | 'target'>, answer: Answer): string | undefined {
  const { status, headers, text } = answer;
  if (status < 200) return `status ${status}`;
  const missing = Object.keys(answerHeaders).find((name) => headers[name] === undefined);
  if (missing !== undefined) return `there is no header ${missing}`;
  const requestId = headers['x-request-id'];
  if (typeof requestId !== 'string' || !/^[\w.-]{8,64}$/.test(requestId)) return 'there is no request id';
  if (status < 400 || given.method === 'HEAD') return undefined;
  const type = String(headers['content-type']);
  const path = given.target.split('?')[0];
  if (path === '/oauth/callback' && type.startsWith('text/html'))
    return pageStatuses.has(status) ? undefined : `a page with status ${status}`;
  // A list of checks.
  if (path === '/ready' && status === 503) return undefined;
  return type === 'application/problem+json'
    ? complaintOfProblem(status, requestId, text)
    : `a refusal of type ${type}`;
}

function complaintOfProblem(status: number, requestId: string, text: string): string | undefined {
  const read = problem.safeParse(jsonOf(text));
  if (!read.success) return 'no problem document';
  const told = read.data;
  if (told.status !== status || told.request_id !== requestId) return 'a problem document of another answer';
  if (status >= 500 && !(status === 503 && unavailable.has(told.code)))
    return `a fault of ours: ${told.code}`;
  // 422 is about something that was given: it says what.
  if (status === 422 && told.code === 'validation' && !told.errors?.length)
    return 'it does not say what is wrong';
  return undefined;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
