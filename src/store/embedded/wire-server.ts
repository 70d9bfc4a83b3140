// Lets several PostgreSQL connections share PGlite's one backend session. It hands PGlite whole units (everything up to
// a Sync), one connection at a time, and never lets two connections' protocol steps mix: they would bind each
// other's parameters, since the unnamed statement belongs to the session.
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { FrameReader, queryMessage, renameStatement, statementClose, syncMessage } from './wire-frames.ts';
import type { Frame } from './wire-frames.ts';

/** The part of PGlite that the server needs. */
export interface Backend {
  /** Runs protocol messages in the one session; the answers come through `onRawData`. */
  execProtocolRawStream(
    message: Uint8Array,
    options: { onRawData: (data: Uint8Array) => void },
  ): Promise<void>;
  isInTransaction(): boolean;
}

interface Connection {
  readonly id: number;
  readonly socket: Socket;
  readonly reader: FrameReader;
  /** Units that wait for the session. */
  readonly waiting: Frame[][];
  /** Named statements that this connection made, under their session-wide names. */
  readonly statements: Set<string>;
  /** Messages of a unit whose end has not arrived yet. */
  partial: Frame[];
  closed: boolean;
}

/**
 * Serves PGlite to `pg` clients. A transaction, or a unit cut by a Flush, holds the session until it ends; a client that
 * vanishes in one is rolled back. There is no authentication: whoever reaches the socket is in.
 */
export class WireServer {
  readonly #backend: Backend;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  /** Who has the session to itself at the moment. */
  #owner: Connection | undefined;
  #working: Promise<void> | undefined;
  #nextId = 1;

  constructor(backend: Backend) {
    this.#backend = backend;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Resolves when connections are accepted on the path. */
  async listen(path: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(path, resolve);
    });
  }

  /** Ends every connection, waits for the running unit and closes the socket. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const connection of this.#connections) connection.socket.destroy();
    await closed;
    await this.#working;
  }

  #accept(socket: Socket): void {
    const connection: Connection = {
      id: this.#nextId++,
      socket,
      reader: new FrameReader(),
      waiting: [],
      statements: new Set(),
      partial: [],
      closed: false,
    };
    this.#connections.add(connection);
    socket.on('data', (data) => this.#receive(connection, data));
    // The close that follows is what is acted upon.
    socket.on('error', () => {});
    socket.on('close', () => {
      connection.closed = true;
      connection.waiting.length = 0;
      this.#wake();
    });
  }

  #receive(connection: Connection, data: Buffer): void {
    try {
      for (const frame of connection.reader.push(data)) this.#take(connection, frame);
    } catch {
      // Not the protocol. Nothing can be answered in a stream whose beginning is lost.
      connection.socket.destroy();
      return;
    }
    this.#wake();
  }

  #take(connection: Connection, frame: Frame): void {
    if (frame.kind === 'ssl-request') connection.socket.write('N');
    else if (frame.kind === 'cancel' || frame.kind === 'X') connection.socket.end();
    else {
      connection.partial.push(renameStatement(frame, `c${connection.id}_`, connection.statements));
      if (frame.endsUnit) connection.waiting.push(connection.partial.splice(0));
    }
  }

  #wake(): void {
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
    });
  }

  async #work(): Promise<void> {
    for (;;) {
      for (const connection of this.#connections) if (connection.closed) await this.#bury(connection);
      const connection = this.#owner ?? this.#next();
      const unit = connection?.waiting.shift();
      if (!connection || !unit) return;
      await this.#run(connection, unit);
    }
  }

  /** Round robin: whoever was served goes to the back, so that no connection starves. */
  #next(): Connection | undefined {
    for (const connection of this.#connections) {
      if (connection.waiting.length === 0) continue;
      this.#connections.delete(connection);
      this.#connections.add(connection);
      return connection;
    }
    return undefined;
  }

  async #run(connection: Connection, unit: readonly Frame[]): Promise<void> {
    const onRawData = (data: Uint8Array) => {
      if (data.length > 0 && connection.socket.writable) connection.socket.write(Buffer.from(data));
    };
    this.#owner = connection;
    try {
      for (const frame of unit) await this.#backend.execProtocolRawStream(frame.bytes, { onRawData });
    } catch {
      // The session's state is unknown to this client: it has to come back with a new connection.
      connection.socket.destroy();
      connection.closed = true;
    }
    const keeps = unit.at(-1)?.keepsSession === true || this.#backend.isInTransaction();
    if (!keeps) this.#owner = undefined;
  }

  async #bury(connection: Connection): Promise<void> {
    this.#connections.delete(connection);
    const leftovers = [...connection.statements].map(statementClose);
    const wasOwner = this.#owner === connection;
    if (!wasOwner && leftovers.length === 0) return;
    const quiet = { onRawData: () => {} };
    try {
      await this.#backend.execProtocolRawStream(syncMessage(), quiet);
      if (wasOwner && this.#backend.isInTransaction())
        await this.#backend.execProtocolRawStream(queryMessage('ROLLBACK'), quiet);
      for (const message of leftovers) await this.#backend.execProtocolRawStream(message, quiet);
      if (leftovers.length > 0) await this.#backend.execProtocolRawStream(syncMessage(), quiet);
    } finally {
      if (wasOwner) this.#owner = undefined;
    }
  }
}
