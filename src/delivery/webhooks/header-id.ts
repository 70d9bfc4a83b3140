// An event's id as a header carries it. The platform chose the id, so it may be any text: one that no header takes must
// neither hold its lane up for ever nor write headers of its own. Pure.

/** What every server and every framework hands on as it came, less the sign that tells the other form. */
const plain = /^[\x21-\x24\x26-\x7e]+$/;

/** The id itself, or percent-encoded as UTF-8 where it is not plain. Different ids stay different, one id is always the same. */
export const headerId = (id: string): string =>
  plain.test(id) ? id : encodeURIComponent(Buffer.from(id).toString());
