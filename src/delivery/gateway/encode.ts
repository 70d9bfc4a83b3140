// Text to finished WebSocket frames (server to client: unmasked, uncompressed, one frame per message). It holds no state
// and never looks into an event: the log's text is spliced in as it is.
import type { ServerFrame } from '../../protocol/frames.ts';

const finalText = 0x81;
const finalPing = 0x89;
const finalPong = 0x8a;
/** RFC 6455 §5.2: up to here the length is in the second byte; up to 65535 in two more; else in eight more. */
const shortLength = 125;

/** One whole text frame around UTF-8 text. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const headerBytes = length <= shortLength ? 2 : length <= 0xffff ? 4 : 10;
  const frame = Buffer.allocUnsafe(headerBytes + length);
  frame[0] = finalText;
  if (headerBytes === 2) frame[1] = length;
  else if (headerBytes === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, headerBytes);
  return frame;
}

/** A frame of the relay.v1 table that carries no event. */
export const controlFrame = (frame: ServerFrame): Buffer => textFrame(JSON.stringify(frame));

/** An event frame with its own attempt; for attempt 1 the record has a shared one. */
export const eventFrameOf = (record: { cursor: string; json(): string }, attempt: number): Buffer =>
  textFrame(`{"type":"event","cursor":"${record.cursor}","attempt":${attempt},"event":${record.json()}}`);

export const pingFrame: Buffer = Buffer.from([finalPing, 0]);

/** The answer to a ping; a control frame carries at most 125 bytes, which `ws` has checked. */
export const pongFrame = (payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from([finalPong, payload.length]), payload]);
