// What a request carries from the middleware to its handler. Types only.
import type { Visitor } from '../domain/visitor.ts';
import type { ServiceRow } from './port.ts';

/** What the listener knows of a request and its text does not say; nothing without a listener. */
export interface Connection {
  /** The other end of the connection. */
  readonly peer?: string | undefined;
  /** Path and query as sent. */
  readonly targetLength?: number;
  readonly headerCount?: number;
}

export interface AppEnv {
  Bindings: Connection;
  Variables: {
    requestId: string;
    visitor: Visitor;
    /** Set behind `requireService`. */
    service: ServiceRow;
  };
}
