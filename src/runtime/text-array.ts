// Many texts as one parameter of a statement.

/** text, in pg_type. */
const textOid = 25;
const nullLength = 0xffffffff;

/**
 * PostgreSQL's binary form of text[]: event bodies are full of quotes, which the textual form would have us escape and
 * the server unescape. Layout: dimensions, null flag, element type, size, lower bound, then length and bytes of each
 * (src/backend/utils/adt/arrayfuncs.c, array_recv).
 */
export function encodeTextArray(values: readonly (string | null)[]): Buffer {
  let size = 20;
  let hasNull = 0;
  for (const value of values) {
    size += 4 + (value === null ? 0 : Buffer.byteLength(value));
    if (value === null) hasNull = 1;
  }
  const bytes = Buffer.allocUnsafe(size);
  bytes.writeInt32BE(1, 0);
  bytes.writeInt32BE(hasNull, 4);
  bytes.writeInt32BE(textOid, 8);
  bytes.writeInt32BE(values.length, 12);
  bytes.writeInt32BE(1, 16);
  let at = 20;
  for (const value of values) {
    const length = value === null ? 0 : bytes.write(value, at + 4);
    bytes.writeUInt32BE(value === null ? nullLength : length, at);
    at += 4 + length;
  }
  return bytes;
}
