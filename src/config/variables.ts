// Every setting of the relay as a table: the one place where its name, meaning, unit and default are written. The
// environment, .env.example and the documentation are read from it.
import { z } from 'zod';
import { parseCidrs, type Cidr } from '../domain/cidr.ts';
import { parseSealKey } from '../domain/seal-key.ts';

/** A variable as people meet it. `schema` turns its text into the value and says what was expected. */
export interface Variable<T> {
  readonly schema: z.ZodType<T, string | undefined>;
  /** The form of the value, for messages: "expected …". */
  readonly expected: string;
  /** What to do about a missing or wrong value. */
  readonly fix: string;
  /** What it is for, for .env.example and the docs. */
  readonly prose: string;
  /** The text that stands for "not set"; absent when the variable is required, '' when it may be empty. */
  readonly default?: string;
  readonly unit?: string;
  /** Never printed, not even when it is wrong. */
  readonly secret?: boolean;
}

const one = <T>(variable: Variable<T>): Variable<T> => variable;

/** Generates both secrets of the relay's own, in the form in which .env wants them. */
export const keyCommand =
  `node -e "const r=require('crypto').randomBytes;` +
  `console.log('ADMIN_API_KEY='+r(32).toString('base64url')+'\\nTOKEN_ENCRYPTION_KEY='+r(32).toString('base64'))"`;

function text(
  expected: string,
  more: Omit<Variable<string>, 'schema' | 'expected'>,
  minLength = 1,
): Variable<string> {
  const schema = z.string(expected).trim().min(minLength, expected);
  return one<string>({ ...more, expected, schema: withDefault(schema, more.default) });
}

function whole(
  min: number,
  max: number,
  more: Omit<Variable<number>, 'schema' | 'expected'>,
): Variable<number> {
  const expected = `a whole number from ${min} to ${max}${more.unit === undefined ? '' : ` (${more.unit})`}`;
  const schema = z
    .string(expected)
    .regex(/^\d{1,15}$/, expected)
    .transform(Number)
    .pipe(z.number().min(min, expected).max(max, expected));
  return one<number>({ ...more, expected, schema: withDefault(schema, more.default) });
}

function withDefault<T>(
  schema: z.ZodType<T, string>,
  fallback: string | undefined,
): z.ZodType<T, string | undefined> {
  return fallback === undefined
    ? (schema as z.ZodType<T, string | undefined>)
    : z.string().default(fallback).pipe(schema);
}

function cidrs(more: Omit<Variable<readonly Cidr[]>, 'schema' | 'expected'>): Variable<readonly Cidr[]> {
  const schema = z
    .string()
    .default('')
    .transform((value, context) => {
      const parsed = parseCidrs(value);
      if (parsed.ok) return parsed.cidrs;
      context.addIssue({ code: 'custom', message: `${cidrForm}; "${parsed.bad}": ${parsed.why}` });
      return z.NEVER;
    });
  return one<readonly Cidr[]>({ ...more, expected: cidrForm, schema });
}

const publicForm = 'an https:// URL, or http://localhost with a port';
/** What Twitch takes as a redirect: https, or plain http on the user's own machine. */
function isPublicUrl(value: string): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname, username, password, search, hash } = new URL(value);
  const plain = username === '' && password === '' && search === '' && hash === '';
  return plain && (protocol === 'https:' || (protocol === 'http:' && hostname === 'localhost'));
}
const originForm = 'origins such as https://overlay.example.org, separated by commas';

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;
const urlOf = (protocols: RegExp, expected: string) =>
  z
    .string(expected)
    .refine((value) => URL.canParse(value) && protocols.test(new URL(value).protocol), expected);
const databaseForm = 'postgres://user:password@host:5432/database';
const socketForm = 'a ws:// or wss:// URL';
const portForm = 'a port from 1 to 65535';
const cidrForm = 'addresses or CIDRs such as 127.0.0.0/8, separated by commas';
const keyForm = '32-byte keys as base64 or hex, separated by commas';

export const variables = {
  DATABASE_URL: one<string | undefined>({
    schema: z.preprocess(
      (value) => (value === '' ? undefined : value),
      urlOf(/^postgres(ql)?:$/, databaseForm).optional(),
    ) as z.ZodType<string | undefined, string | undefined>,
    expected: databaseForm,
    fix: 'Give the whole URL, or leave it empty to use the embedded database in DATA_DIR.',
    prose:
      'A PostgreSQL server, version 15 or newer. Empty: an embedded database in DATA_DIR, for one relay process.',
    default: '',
    secret: true,
  }),
  DATA_DIR: text('a folder', {
    fix: 'Name a folder that the relay may write to.',
    prose: 'Where the embedded database lives. Back it up or lose it.',
    default: './data',
  }),
  HOST: text('an address to listen on', {
    fix: 'Use 127.0.0.1 for this machine alone, 0.0.0.0 for every network.',
    prose: 'The address that the HTTP and WebSocket server listens on.',
    default: '127.0.0.1',
  }),
  PORT: whole(0, 65_535, {
    fix: 'Choose a free TCP port.',
    prose: 'The port that it listens on; 0 takes any free one.',
    default: '8080',
  }),
  PUBLIC_URL: one<string | undefined>({
    schema: z.preprocess(
      (value) => (value === '' ? undefined : value),
      z
        .string(publicForm)
        .refine(isPublicUrl, publicForm)
        .transform((value) => value.replace(/\/+$/, ''))
        .optional(),
    ) as z.ZodType<string | undefined, string | undefined>,
    expected: publicForm,
    fix: 'Give the address under which a browser reaches the relay; Twitch takes http only for localhost.',
    prose:
      "The relay's address for browsers. PUBLIC_URL/oauth/callback must be a redirect URL of the Twitch application. Empty: http://localhost:PORT.",
    default: '',
  }),
  ADMIN_API_KEY: text(
    'at least 16 characters',
    {
      fix: `Generate one: ${keyCommand}`,
      prose: 'What X-Admin-Key must be for the admin calls.',
      secret: true,
    },
    16,
  ),
  TOKEN_ENCRYPTION_KEY: one<string[]>({
    schema: z
      .string(keyForm)
      .transform((value) =>
        value
          .split(',')
          .map((key) => key.trim())
          .filter((key) => key !== ''),
      )
      .refine(
        (keys) => keys.length > 0 && keys.every((key) => parseSealKey(key) !== undefined),
        keyForm,
      ) as z.ZodType<string[], string | undefined>,
    expected: keyForm,
    fix: `Generate one: ${keyCommand}`,
    prose:
      'Encrypts the tokens of the bots in the database. The first key encrypts, all of them decrypt: put a new one in front to change it.',
    secret: true,
  }),
  TWITCH_CLIENT_ID: text('the client id of a Twitch application', {
    fix: 'Copy it from https://dev.twitch.tv/console/apps',
    prose: 'The Twitch application that the tokens of the bots belong to.',
  }),
  TWITCH_CLIENT_SECRET: text('the client secret of a Twitch application', {
    fix: 'Copy it from https://dev.twitch.tv/console/apps',
    prose: 'Its secret; needed to refresh tokens.',
    secret: true,
  }),
  TWITCH_EVENTSUB_URL: one<string>({
    schema: withDefault(urlOf(/^wss?:$/, socketForm), 'wss://eventsub.wss.twitch.tv/ws'),
    expected: socketForm,
    fix: 'Remove the line to use Twitch itself.',
    prose: "Twitch's EventSub socket; another one for tests.",
    default: 'wss://eventsub.wss.twitch.tv/ws',
  }),
  TWURPLE_MOCK_API_PORT: one<number | undefined>({
    schema: z.preprocess(
      (value) => (value === '' ? undefined : value),
      z
        .string(portForm)
        .regex(/^\d{1,5}$/, portForm)
        .transform(Number)
        .pipe(z.number().min(1, portForm).max(65_535, portForm))
        .optional(),
    ) as z.ZodType<number | undefined, string | undefined>,
    expected: portForm,
    fix: 'Remove the line to use Twitch itself.',
    prose:
      "A stand-in for Twitch's HTTP side on this machine (npm run simulate). Leave it empty for Twitch itself.",
    default: '',
  }),
  KEEPALIVE_TIMEOUT_SECONDS: whole(10, 600, {
    fix: 'Twitch accepts 10 to 600.',
    prose:
      'How long the EventSub socket may be silent. A dead one is noticed this much later, plus two seconds.',
    default: '10',
    unit: 'seconds',
  }),
  RETENTION_CHAT_HOURS: whole(1, 8760, {
    fix: 'At most a year.',
    prose: 'How long events of channel.chat.* stay in the log.',
    default: '24',
    unit: 'hours',
  }),
  RETENTION_HOURS: whole(1, 8760, {
    fix: 'At most a year.',
    prose: 'How long all other events stay in the log.',
    default: '168',
    unit: 'hours',
  }),
  RETENTION_DELIVERIES_HOURS: whole(1, 8760, {
    fix: 'At most a year.',
    prose: 'How long the history of webhook attempts is kept. Deliveries themselves do not depend on it.',
    default: '168',
    unit: 'hours',
  }),
  WEBHOOK_ALLOWED_CIDRS: cidrs({
    fix: 'Receivers on this machine: 127.0.0.0/8,::1/128. In the local network: its range, such as 192.168.1.0/24.',
    prose:
      'Private and loopback ranges that webhooks may be sent to. Without it only public addresses are; link-local and cloud metadata addresses never are.',
    default: '',
  }),
  WEBHOOK_CHALLENGE: one<'off' | 'on'>({
    schema: withDefault(z.enum(['off', 'on'], 'off or on'), 'off'),
    expected: 'off or on',
    fix: 'Choose one of them.',
    prose:
      'Whether a webhook endpoint must answer a challenge before it gets events. Turn it on if services may name receivers that are not yours.',
    default: 'off',
  }),
  SERVICE_BOT_DEFAULT: one<'all' | 'none'>({
    schema: withDefault(z.enum(['all', 'none'], 'all or none'), 'all'),
    expected: 'all or none',
    fix: 'Choose one of them.',
    prose: 'Which bots a new service account may use: every one, or none until an admin names them.',
    default: 'all',
  }),
  ALLOWED_CIDRS: cidrs({
    fix: 'Name the addresses of your services and your own, such as 127.0.0.0/8,192.168.1.0/24. Empty: everybody.',
    prose:
      'Who may connect at all. /health and the page that Twitch sends browsers back to stay open to everybody.',
    default: '',
  }),
  TRUST_PROXY: cidrs({
    fix: 'Name the addresses of your reverse proxies, such as 127.0.0.1/32. Empty: none.',
    prose:
      "Reverse proxies whose X-Forwarded-For is believed. Without it a client's address is that of its connection.",
    default: '',
  }),
  ALLOWED_ORIGINS: one<readonly string[]>({
    schema: z
      .string()
      .default('')
      .transform((value, context) => {
        const origins = value
          .split(',')
          .map((each) => each.trim())
          .filter((each) => each !== '');
        for (const each of origins) {
          if (URL.canParse(each) && new URL(each).origin === each && each !== 'null') continue;
          context.addIssue({ code: 'custom', message: originForm });
        }
        return origins;
      }),
    expected: originForm,
    fix: 'Write scheme, host and port as the browser sends them, without a path. Empty: every page.',
    prose:
      'Web pages that may open the event socket from a browser. Empty: any page that has a token. Programs send no origin and are not asked.',
    default: '',
  }),
  LOG_LEVEL: one<(typeof levels)[number]>({
    schema: withDefault(z.enum(levels, levels.join(', ')), 'info'),
    expected: `one of ${levels.join(', ')}`,
    fix: 'Choose one of them.',
    prose: 'The least important kind of line that is logged.',
    default: 'info',
  }),
  INGEST_BUFFER_EVENTS: whole(1, 10_000_000, {
    fix: 'Each event takes about 2 kB of memory while it is held.',
    prose:
      'How many arriving events are held while the database is away. Past that the loss is declared as a gap.',
    default: '50000',
    unit: 'events',
  }),
  MAX_CONNECTIONS: whole(1, 1_000_000, {
    fix: 'Each needs a file descriptor.',
    prose: 'How many consumer sockets may be open at once; more are refused with 429.',
    default: '5000',
    unit: 'connections',
  }),
  SHUTDOWN_TIMEOUT_SECONDS: whole(0, 600, {
    fix: 'Stay below the patience of whatever stops the process.',
    prose: 'How long a stop may wait for what is under way before it cuts it off.',
    default: '10',
    unit: 'seconds',
  }),
} satisfies Record<string, Variable<unknown>>;

export type VariableName = keyof typeof variables;
