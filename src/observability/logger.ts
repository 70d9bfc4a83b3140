// Structured log lines on stderr (stdout belongs to commands). Owns redaction: no token, secret or credential leaves,
// whatever a caller hands over. Must never be given a raw error of the token endpoint, whose prose holds secrets.
import { pino, stdSerializers, type DestinationStream, type Logger as PinoLogger } from 'pino';

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];
export type Logger = PinoLogger;

export interface LoggerOptions {
  readonly level: LogLevel;
  /** `human`: one readable line each; `json`: for machines. */
  readonly format: 'human' | 'json';
  readonly destination: DestinationStream;
}

const secretNames = [
  'access_token',
  'refresh_token',
  'accessToken',
  'refreshToken',
  'client_secret',
  'clientSecret',
  'ws_token',
  'wsToken',
  'webhook_secret',
  'webhookSecret',
  'token',
  'secret',
  'password',
  'adminKey',
  'authorization',
  'Authorization',
  'cookie',
  '["x-admin-key"]',
  '["x-client-secret"]',
  '["sec-websocket-protocol"]',
];
/** At the top, and one or two objects down. */
const redactedPaths = secretNames.flatMap((name) =>
  name.startsWith('[') ? [name, `*${name}`, `*.*${name}`] : [name, `*.${name}`, `*.*.${name}`],
);
const mask = '[redacted]';

/** Secrets in running text: queries, bearer headers, and JSON or form members. */
const inText: readonly [RegExp, string][] = [
  [/([?&;\s](?:client_secret|ws_token|access_token|refresh_token|token|code)=)[^&\s"'#]+/gi, `$1${mask}`],
  [/((?:bearer|oauth)[ .])[A-Za-z0-9._~+/=-]{8,}/gi, `$1${mask}`],
  [/\bwhsec_[A-Za-z0-9+/=_-]+/g, mask],
  [/(\\*"(?:client_secret|access_token|refresh_token|ws_token)\\*"\s*:\s*\\*")[^"\\]*/gi, `$1${mask}`],
  [/(\b[a-z][a-z0-9+.-]*:\/\/)[^/\s:@]*:[^/\s@]*@/gi, `$1${mask}@`],
];

/** The text without the values of known secret parameters, bearer tokens and passwords in URLs. */
export function redactText(text: string): string {
  return inText.reduce((rest, [pattern, replacement]) => rest.replace(pattern, replacement), text);
}

/** A logger that writes to the destination. `LOG_LEVEL` is read by the configuration, not here. */
export function createLogger({ level, format, destination }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redactedPaths, censor: mask },
      serializers: { err: serializeError },
    },
    scrub(destination, format),
  );
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { type, message, stack } = stdSerializers.err(error);
  // Own properties of an error may hold anything (requests, tokens): only those that name the fault are kept.
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  return { type, message, stack, ...code };
}

/** The last line of redaction works on the finished line, so that no serializer can go round it. */
function scrub(destination: DestinationStream, format: LoggerOptions['format']): DestinationStream {
  return {
    write(line: string) {
      const safe = redactText(line);
      destination.write(format === 'json' ? safe : humanLine(safe));
    },
  };
}

/** `12:34:56.789 warn  message  key=value …`; a line that is no JSON is passed on as it is. */
export function humanLine(line: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return line;
  }
  if (typeof parsed !== 'object' || parsed === null) return line;
  const { time, level, msg, ...rest } = parsed as Record<string, unknown>;
  const at = typeof time === 'string' ? time.slice(11, 23) : '';
  const fields = Object.entries(rest).map(([key, value]) => `${key}=${plain(key, value)}`);
  const head = `${at} ${text(level).padEnd(5)} ${text(msg)}`;
  return `${[head, ...fields].join('  ').trimEnd()}\n`;
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function plain(key: string, value: unknown): string {
  if (typeof value === 'string' && /^[^\s"]+$/.test(value)) return value;
  if (key === 'err' && typeof value === 'object' && value !== null && 'stack' in value) {
    return text(value.stack).replaceAll('\n', '\n    ');
  }
  return JSON.stringify(value) ?? '';
}
