// What went wrong as one line for people, what to do about it, and the exit code. It never shows a secret: it repeats
// what the relay said, and never what was sent.
import { RelayApiError, RelayClosedError, RelayInterestError, RelayProtocolError } from '../client/index.ts';

/** What the program ends with. Documented in docs/cli.md, which a test holds against this. */
export const exitCodes = {
  ok: { code: 0, meaning: 'done' },
  failed: { code: 1, meaning: 'it did not work; the message says why' },
  usage: { code: 2, meaning: 'the command line is wrong; nothing was done' },
  unreachable: { code: 3, meaning: 'the relay cannot be reached' },
  unauthorized: { code: 4, meaning: 'no key or secret was given, or the relay does not accept it' },
  interrupted: { code: 130, meaning: 'interrupted with Ctrl-C' },
} as const;
export type ExitName = keyof typeof exitCodes;

/** A failure of our own: what is wrong, and what to do about it. */
export class CliFailure extends Error {
  override readonly name = 'CliFailure';
  readonly exit: ExitName;
  readonly fix: string | undefined;

  constructor(exit: ExitName, message: string, fix?: string) {
    super(message);
    this.exit = exit;
    this.fix = fix;
  }
}

export const usageError = (message: string, fix?: string): CliFailure =>
  new CliFailure('usage', message, fix);

/** The reason of `io.signal` after Ctrl-C. */
export class Interrupt extends Error {
  override readonly name = 'Interrupt';
}

/** The reason of `io.signal` when whoever read stdout has gone (`… | head`): the end, and no failure. */
export class ReaderGone extends Error {
  override readonly name = 'ReaderGone';
}

export interface Failure {
  readonly exit: ExitName;
  readonly message: string;
  readonly fix: string | undefined;
}

/** `url`: the relay that was called, for the advice. */
export function describeFailure(error: unknown, url?: string): Failure {
  if (error instanceof CliFailure) return { exit: error.exit, message: error.message, fix: error.fix };
  if (error instanceof RelayApiError) return ofApi(error, url);
  if (error instanceof RelayClosedError) return ofClose(error);
  if (error instanceof RelayInterestError) return failed(error.message);
  if (error instanceof RelayProtocolError) return failed(error.message, sameVersion);
  // What the client throws for a value that it refuses before anything is sent.
  if (error instanceof TypeError && /^[\w.]+( and \w+)?: /u.test(error.message)) {
    return { exit: 'usage', message: error.message, fix: undefined };
  }
  return failed(error instanceof Error ? error.message : String(error));
}

const checkUrl = 'Check --url or RELAY_URL.';
const sameVersion = 'Use a command line of the same version as the relay.';
const failed = (message: string, fix?: string): Failure => ({ exit: 'failed', message, fix });

function ofApi(error: RelayApiError, url: string | undefined): Failure {
  const where = url === undefined ? '' : ` at ${url}`;
  // A refusal of one field says it in both.
  const fields = error.errors
    .filter(({ message: each }) => !error.detail.includes(each))
    .map(({ path, message: each }) => `; ${path}: ${each}`);
  const message = `${error.detail}${fields.join('')}`;
  switch (error.status) {
    case 0:
      return {
        exit: 'unreachable',
        message: `The relay${where} cannot be reached: ${reachReason(error)}`,
        fix: 'Start it with "eventsub-relay serve", or name another one with --url or RELAY_URL.',
      };
    case 401:
      return {
        exit: 'unauthorized',
        message: `The relay${where} does not accept the credentials: ${message}`,
        fix: 'Check ADMIN_API_KEY, or RELAY_CLIENT_ID and RELAY_CLIENT_SECRET: they must be those of this relay.',
      };
    case 403:
      return { exit: 'unauthorized', message, fix: undefined };
    case 429:
      return failed(message, tryAgain(error.retryAfterMs));
    default:
      if (error.code.startsWith('http_')) {
        return failed(`Something else than a relay answers${where}: ${error.status} ${message}`, checkUrl);
      }
      return failed(message, error.code === 'unexpected_answer' ? `${checkUrl} ${sameVersion}` : undefined);
  }
}

function tryAgain(retryAfterMs: number | null): string {
  return retryAfterMs === null
    ? 'Try again in a while.'
    : `Try again in ${Math.ceil(retryAfterMs / 1_000)} seconds.`;
}

function ofClose(error: RelayClosedError): Failure {
  const message = `The relay closed the stream (${error.code}): ${error.reason}`;
  switch (error.code) {
    case 4401:
      return { exit: 'unauthorized', message, fix: 'Check RELAY_CLIENT_ID and RELAY_CLIENT_SECRET.' };
    case 4403:
      return {
        exit: 'unauthorized',
        message,
        fix: 'Enable the service: eventsub-relay services enable NAME.',
      };
    case 4409:
      return failed(message, 'Somebody else reads under this name: choose another one with --consumer.');
    case 4410:
      return failed(message, 'Go on with --on-expired earliest, or with --on-expired live.');
    default:
      return failed(message);
  }
}

/** Node hides why a connection failed one or two causes down. */
function reachReason(error: RelayApiError): string {
  for (let cause: unknown = error.cause; cause instanceof Error; cause = cause.cause) {
    const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : '';
    const known = reasons[code];
    if (known !== undefined) return known;
    if (cause.message.includes('redirect')) return 'something else answers there and points elsewhere';
  }
  // The causes' own words are not repeated: one of them quotes headers.
  return error.detail === 'no answer in time' ? 'it does not answer in time' : 'the call could not be made';
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection broke',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the host name cannot be looked up',
  EHOSTUNREACH: 'there is no way to that host',
  ENETUNREACH: 'there is no way to that network',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_SOCKET: 'the connection broke',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is self-signed',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate cannot be verified',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it does not speak TLS: use http://',
};
