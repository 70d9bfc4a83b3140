// Text to a finished WebSocket frame (server to client: unmasked, uncompressed, one frame per message).

/** FIN and opcode 1: a text message in one frame. https://www.rfc-editor.org/rfc/rfc6455#section-5.2 */
const finalText = 0x81;
/** Lengths from here on are given in two more bytes, from 65536 on in eight. */
const sevenBitLimit = 126;
const sixteenBitLimit = 65_536;

/** A server's WebSocket frame around the text as UTF-8. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const headerBytes = length < sevenBitLimit ? 2 : length < sixteenBitLimit ? 4 : 10;
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
