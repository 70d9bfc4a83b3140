// What a command has in hand while it runs: the relay it speaks to, where it writes, and how it asks. It opens nothing
// that a command does not ask for.
import { createAdminClient, createRelayClient, type AdminClient, type RelayClient } from '../client/index.ts';
import { noAdminKey, noService, type Connection } from './connection.ts';
import type { ConsoleDeps } from './console-port.ts';
import type { CliIo } from './io.ts';
import type { Out } from './output.ts';
import { withProgress, type Progress } from './progress.ts';

export interface Session extends ConsoleDeps {
  readonly out: Out;
  /** For the admin key in hand. Throws a CliFailure that says how to give one when there is none. */
  readonly admin: () => AdminClient;
  /** For the service in hand. Throws a CliFailure when there is none. */
  readonly service: () => RelayClient;
  /** Runs `work` with a line on stderr while it takes long. */
  readonly during: <T>(text: string, work: (progress: Progress) => Promise<T>) => Promise<T>;
}

export function createSession(io: CliIo, connection: Connection, out: Out): Session {
  const { url } = connection;
  let busy = 0;
  const during: Session['during'] = async (text, work) => {
    busy += 1;
    try {
      return await (busy === 1 ? withProgress(io, text, work) : work({ say: () => undefined }));
    } finally {
      busy -= 1;
    }
  };
  const call = interruptible(io);
  // A call that no command has words for is told of all the same when it takes long.
  const fetcher: typeof fetch = (...args) => during('waiting for the relay', () => call(...args));
  return {
    io,
    out,
    connection,
    admin(): AdminClient {
      if (connection.adminKey === undefined) throw noAdminKey();
      return createAdminClient({ url, adminKey: connection.adminKey }, { fetch: fetcher });
    },
    service(): RelayClient {
      if (!connection.service) throw noService();
      return createRelayClient({ url, ...connection.service }, { fetch: fetcher });
    },
    during,
  };
}

/** Ctrl-C ends a call that is under way. */
export function interruptible(io: Pick<CliIo, 'fetch' | 'signal'>): typeof fetch {
  return (input, init = {}) => {
    const signal = init.signal ? AbortSignal.any([init.signal, io.signal]) : io.signal;
    return io.fetch(input, { ...init, signal });
  };
}
