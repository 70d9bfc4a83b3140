// What a request carries from the middleware to its handler. Types only.
import type { ServiceRow } from './port.ts';

export interface AppEnv {
  Variables: {
    requestId: string;
    /** Set behind `requireService`. */
    service: ServiceRow;
  };
}
