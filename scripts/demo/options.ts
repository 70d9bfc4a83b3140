// The demo's flags, parsed and explained. Pure.
import { parseArgs } from 'node:util';

export const usage = `npm run demo -- [options]

Starts a stand-in for Twitch, the relay, two consumers on sockets and a webhook receiver that is down for a while, and
shows what is delivered. Needs nothing but Node.

  --for TIME    end by itself after TIME of events: 500ms, 20s, 2m (default: until Ctrl-C)
  --json        the last line on stdout is the result as JSON; everything else goes to stderr
  --port PORT   the relay listens on 127.0.0.1:PORT (default: any free port)
  --help        this text

Exit code: 0; 1 if an event was lost outside a declared gap or came twice unannounced; 2 for a wrong option.`;

export interface DemoOptions {
  /** Null: until it is stopped. */
  readonly forMs: number | null;
  readonly json: boolean;
  readonly port: number;
}

export type ParsedOptions =
  | { readonly kind: 'run'; readonly options: DemoOptions }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly message: string };

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };
/** A day: whatever is longer is a typing error. */
const longestMs = 86_400_000;

export function parseDuration(text: string): number | undefined {
  const { amount, unit } = /^(?<amount>\d{1,9}(?:\.\d{1,3})?)(?<unit>ms|s|m)$/u.exec(text)?.groups ?? {};
  const ms = Number(amount) * (unitMs[unit ?? ''] ?? Number.NaN);
  return ms > 0 && ms <= longestMs ? ms : undefined;
}

const wrong = (message: string): ParsedOptions => ({ kind: 'wrong', message });

export function parseOptions(argv: readonly string[]): ParsedOptions {
  const read = () =>
    parseArgs({
      args: [...argv],
      options: {
        for: { type: 'string' },
        json: { type: 'boolean', default: false },
        port: { type: 'string', default: '0' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  let values: ReturnType<typeof read>;
  try {
    values = read();
  } catch (error) {
    return wrong(error instanceof Error ? error.message : String(error));
  }
  if (values.help) return { kind: 'help' };
  const forMs = values.for === undefined ? null : parseDuration(values.for);
  if (forMs === undefined)
    return wrong(`--for: expected a time such as 500ms, 20s or 2m, got "${values.for}"`);
  const port = /^\d{1,5}$/u.test(values.port) ? Number(values.port) : Number.NaN;
  if (!(port <= 65_535)) return wrong(`--port: expected 0 to 65535, got "${values.port}"`);
  return { kind: 'run', options: { forMs, json: values.json, port } };
}
