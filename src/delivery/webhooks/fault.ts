// What a request that got no answer ended with: Node's, OpenSSL's and undici's error codes as kinds of outcome. Tables.
// The sentences are ours alone: a foreign message may hold addresses or more of the URL than its host.
import { errors } from 'undici';
import { ConnectTimeoutError, EgressRefusedError } from './egress/index.ts';
import type { OutcomeKind } from './outcome.ts';

/** `connecting`: not a byte of the request can have reached the receiver. */
export type SendPhase = 'connecting' | 'sent';

export interface Fault {
  readonly kind: OutcomeKind;
  /** For people. */
  readonly message: string;
}

/** Whatever the phase. */
const codeKinds: Readonly<Record<string, OutcomeKind>> = {
  ECONNREFUSED: 'connection_refused',
  EHOSTUNREACH: 'connection_refused',
  EHOSTDOWN: 'connection_refused',
  ECONNRESET: 'connection_reset',
  ECONNABORTED: 'connection_reset',
  EPIPE: 'connection_reset',
  UND_ERR_SOCKET: 'connection_reset',
  ENOTFOUND: 'dns_failed',
  ENODATA: 'dns_failed',
  EAI_FAIL: 'dns_failed',
  EAI_NODATA: 'dns_failed',
  UND_ERR_HEADERS_OVERFLOW: 'protocol_error',
  UND_ERR_RES_EXCEEDED_MAX_SIZE: 'protocol_error',
};

/** Certificates and handshakes. The names of OpenSSL's verdicts: https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/ */
const tlsCode =
  /^(?:ERR_TLS_|ERR_SSL_|CERT_|CRL_|UNABLE_TO_|ERROR_IN_C|SELF_SIGNED_|DEPTH_ZERO_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_|HOSTNAME_MISMATCH$|EPROTO$)/;

/** The kernel gave up waiting: for the connection, or for the receiver to take the request. */
const silence: Readonly<Record<SendPhase, OutcomeKind>> = { connecting: 'connect_timeout', sent: 'timeout' };

/**
 * For a code in none of the tables. Before the connection stands that is a fault of this side: no file descriptors, no
 * network, no name server (EMFILE, ENETUNREACH, EAI_AGAIN, …), which nobody else is to be charged with. Afterwards, even
 * with such a code, the receiver may have the event.
 */
const otherwise: Readonly<Record<SendPhase, OutcomeKind>> = { connecting: 'ours', sent: 'connection_reset' };

/** undici names these two by their message alone: a 100 or 101 that nobody asked for. */
const oddAnswers: ReadonlySet<string> = new Set(['bad response', 'bad upgrade']);

const sentences: Readonly<Partial<Record<OutcomeKind, string>>> = {
  connection_refused: 'the receiver refused the connection, or its host cannot be reached',
  connection_reset: 'the connection ended before an answer',
  dns_failed: 'the host name does not exist',
  tls_failed: 'no secure connection: the handshake failed, or the certificate is not valid here',
  protocol_error: 'the receiver did not answer in HTTP/1.1',
  connect_timeout: 'no connection was made in time',
  timeout: 'no answer in time',
  ours: 'the relay could not send: the fault is on its side',
  aborted: 'cut off: the relay stopped sending to this endpoint',
};

export const sentence = (kind: OutcomeKind): string => sentences[kind] ?? kind;

export function faultOf(error: unknown, phase: SendPhase): Fault {
  if (error instanceof EgressRefusedError) return { kind: 'egress_refused', message: error.message };
  if (error instanceof ConnectTimeoutError) {
    // A name server that does not answer is this side's.
    return { kind: error.phase === 'resolve' ? 'ours' : 'connect_timeout', message: error.message };
  }
  const code = codeOf(error);
  const kind = isNoHttp(error) ? 'protocol_error' : kindOf(code, phase);
  return { kind, message: code === undefined ? sentence(kind) : `${sentence(kind)} (${code})` };
}

function kindOf(code: string | undefined, phase: SendPhase): OutcomeKind {
  if (code === undefined) return otherwise[phase];
  if (code === 'ETIMEDOUT') return silence[phase];
  if (tlsCode.test(code)) return 'tls_failed';
  return codeKinds[code] ?? otherwise[phase];
}

/** Of an error, or of the first of several, as when each address of a host was tried. */
function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return error instanceof AggregateError ? codeOf(error.errors[0]) : undefined;
}

/** The parser's own errors need not have a code. */
const isNoHttp = (error: unknown): boolean =>
  error instanceof errors.HTTPParserError ||
  (error instanceof errors.SocketError && oddAnswers.has(error.message));
