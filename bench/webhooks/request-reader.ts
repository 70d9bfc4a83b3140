// HTTP requests out of the bytes of one connection: as little as is needed to know that one has come whole. Node's own server
// takes longer over a request than anybody who is measured may. Pure.

export interface ReadRequest {
  /** From the first line on, without the empty one at its end. */
  readonly head: Buffer;
  readonly body: Buffer;
}

const endOfHead = Buffer.from('\r\n\r\n');
const lengthName = 'content-length';
const blank = 0x20;

export class RequestReader {
  #rest: Buffer | undefined;

  /** The requests that are whole now. Throws for anything that has no length. */
  read(chunk: Buffer): ReadRequest[] {
    let bytes = this.#rest ? Buffer.concat([this.#rest, chunk]) : chunk;
    this.#rest = undefined;
    const requests: ReadRequest[] = [];
    while (bytes.length > 0) {
      const headEnd = bytes.indexOf(endOfHead);
      const head = bytes.subarray(0, headEnd < 0 ? 0 : headEnd + 2);
      const end = headEnd < 0 ? Infinity : headEnd + endOfHead.length + lengthIn(head);
      if (end > bytes.length) {
        this.#rest = bytes;
        return requests;
      }
      requests.push({ head, body: bytes.subarray(headEnd + endOfHead.length, end) });
      bytes = bytes.subarray(end);
    }
    return requests;
  }
}

function lengthIn(head: Buffer): number {
  const length = Number(headerOf(head, lengthName));
  if (!Number.isInteger(length)) throw new Error('a request without a length');
  return length;
}

/** Of the first line. */
export function pathOf(head: Buffer): string {
  const start = head.indexOf(blank) + 1;
  return head.toString('latin1', start, head.indexOf(blank, start));
}

/** The value of one header; `name` in lower case. Undefined without it. */
export function headerOf(head: Buffer, name: string): string | undefined {
  let at = head.indexOf(`\r\n${name}:`, 0, 'latin1');
  if (at < 0) at = head.toString('latin1').toLowerCase().indexOf(`\r\n${name}:`);
  if (at < 0) return undefined;
  const start = at + name.length + 3;
  return head.toString('latin1', start, head.indexOf('\r\n', start, 'latin1')).trim();
}
