// Text to finished WebSocket frames (server to client: unmasked, uncompressed, one frame per message). It holds no state
// and never looks into an event: the log's text is spliced in as it is.
import { eventFrameText, type ServerFrame } from '../../protocol/frames.ts';
import { textFrame } from '../../runtime/text-frame.ts';

const finalPing = 0x89;
const finalPong = 0x8a;

/** A frame of the relay.v1 table that carries no event. */
export const controlFrame = (frame: ServerFrame): Buffer => textFrame(JSON.stringify(frame));

/** An event frame with its own attempt; for attempt 1 the record has a shared one. */
export const eventFrameOf = (record: { cursor: string; json(): string }, attempt: number): Buffer =>
  textFrame(eventFrameText(record.cursor, attempt, record.json()));

export const pingFrame: Buffer = Buffer.from([finalPing, 0]);

/** The answer to a ping; a control frame carries at most 125 bytes, which `ws` has checked. */
export const pongFrame = (payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from([finalPong, payload.length]), payload]);
