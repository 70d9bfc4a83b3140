// How a connection that the connector itself gave up ends. All other failures are Node's own errors with their `code`.
import type { EgressRefusal } from '../ports.ts';

/** No socket was opened: an address behind the name may not be called. The message names the host, nothing else of the URL. */
export class EgressRefusedError extends Error {
  readonly code = 'EGRESS_REFUSED';
  readonly refusal: EgressRefusal;

  constructor(refusal: EgressRefusal, message: string) {
    super(message);
    this.name = 'EgressRefusedError';
    this.refusal = refusal;
  }
}

/** What a connection was waiting for: the name server, an answer to TCP, or the TLS handshake. */
export type ConnectPhase = 'resolve' | 'tcp' | 'tls';

/** The time for the whole connect was used up; every socket of it is destroyed. `phase` tells where it stood. */
export class ConnectTimeoutError extends Error {
  readonly code = 'CONNECT_TIMEOUT';
  readonly phase: ConnectPhase;

  constructor(phase: ConnectPhase, timeoutMs: number) {
    super(`${waitedFor[phase]} within ${timeoutMs} ms`);
    this.name = 'ConnectTimeoutError';
    this.phase = phase;
  }
}

const waitedFor: Readonly<Record<ConnectPhase, string>> = {
  resolve: 'the name server did not answer',
  tcp: 'no connection was made',
  tls: 'the TLS handshake did not end',
};
