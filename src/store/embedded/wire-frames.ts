// Cuts a PostgreSQL client's byte stream into messages and says where a unit ends. Pure; it knows no socket and no
// database. Message formats: https://www.postgresql.org/docs/current/protocol-message-formats.html

export interface Frame {
  /** The message's type letter, or which of the untyped opening messages it is. */
  readonly kind: string;
  readonly bytes: Uint8Array;
  /** The server answers ReadyForQuery, or has to be run up to here because the client waits. */
  readonly endsUnit: boolean;
  /** The extended-protocol exchange goes on after this unit: nobody else may use the session in between. */
  readonly keepsSession: boolean;
}

const protocol3 = 196_608;
const sslRequest = 80_877_103;
const gssRequest = 80_877_104;
const cancelRequest = 80_877_102;
/** PostgreSQL's own bound for one message is 1 GB; nothing here is near it, so a larger number is a broken stream. */
const maxMessageBytes = 256 * 1024 * 1024;

/** Collects bytes until a whole message is there; copies each byte at most once more, however the stream is cut. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #length = 0;
  #started = false;

  /** The messages completed by these bytes. Throws on a length that cannot be. */
  push(data: Buffer): Frame[] {
    this.#chunks.push(data);
    this.#length += data.length;
    const frames: Frame[] = [];
    for (;;) {
      const bytes = this.#take();
      if (!bytes) return frames;
      frames.push(this.#classify(bytes));
    }
  }

  #take(): Buffer | undefined {
    const lengthAt = this.#started ? 1 : 0;
    if (this.#length < lengthAt + 4) return undefined;
    let first = this.#chunks[0];
    if (!first || first.length < lengthAt + 4) first = this.#join();
    const total = first.readInt32BE(lengthAt) + lengthAt;
    if (total < lengthAt + 4 || total > maxMessageBytes) throw new RangeError(`a message of ${total} bytes`);
    if (this.#length < total) return undefined;
    if (first.length < total) first = this.#join();
    this.#length -= total;
    if (first.length === total) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(total);
    return first.subarray(0, total);
  }

  #join(): Buffer {
    const joined = Buffer.concat(this.#chunks);
    this.#chunks = [joined];
    return joined;
  }

  #classify(bytes: Buffer): Frame {
    if (!this.#started) {
      const code = bytes.length >= 8 ? bytes.readInt32BE(4) : 0;
      const done = { bytes, endsUnit: true, keepsSession: false };
      if (code === sslRequest || code === gssRequest) return { ...done, kind: 'ssl-request' };
      if (code === cancelRequest) return { ...done, kind: 'cancel' };
      if (code !== protocol3) throw new RangeError('not the version 3 protocol');
      this.#started = true;
      return { ...done, kind: 'startup' };
    }
    const kind = String.fromCharCode(bytes[0] ?? 0);
    const endsUnit = 'SQFHXcfp'.includes(kind);
    return { kind, bytes, endsUnit, keepsSession: kind === 'H' };
  }
}

const terminated = (bytes: Buffer, from: number) => {
  const end = bytes.indexOf(0, from);
  if (end < 0) throw new RangeError('a name without an end');
  return { text: bytes.toString('latin1', from, end), end };
};

/**
 * Gives a named prepared statement a name that is this connection's own, because all connections share one session.
 * `names` keeps count of those that live. The unnamed statement and portals need none: they do not outlive a unit.
 */
export function renameStatement(frame: Frame, prefix: string, names: Set<string>): Frame {
  const bytes = Buffer.from(frame.bytes.buffer, frame.bytes.byteOffset, frame.bytes.byteLength);
  let at: number;
  if (frame.kind === 'P') at = 5;
  else if (frame.kind === 'B') at = terminated(bytes, 5).end + 1;
  else if ((frame.kind === 'D' || frame.kind === 'C') && bytes[5] === 0x53) at = 6;
  else return frame;
  const { text, end } = terminated(bytes, at);
  if (text === '') return frame;
  const name = prefix + text;
  if (frame.kind === 'P') names.add(name);
  if (frame.kind === 'C') names.delete(name);
  const renamed = Buffer.concat([bytes.subarray(0, at), Buffer.from(name, 'latin1'), bytes.subarray(end)]);
  renamed.writeInt32BE(renamed.length - 1, 1);
  return { ...frame, bytes: renamed };
}

function message(kind: string, body: Buffer): Uint8Array {
  const bytes = Buffer.alloc(5 + body.length);
  bytes.write(kind, 0, 'latin1');
  bytes.writeInt32BE(4 + body.length, 1);
  body.copy(bytes, 5);
  return bytes;
}

export const syncMessage = (): Uint8Array => message('S', Buffer.alloc(0));
export const queryMessage = (sql: string): Uint8Array => message('Q', Buffer.from(`${sql}\0`));
export const statementClose = (name: string): Uint8Array => message('C', Buffer.from(`S${name}\0`, 'latin1'));
