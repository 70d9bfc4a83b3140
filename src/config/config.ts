// From environment text to a checked configuration, or to every problem there is at once. It reads no file and never
// repeats the value of a secret.
import type { z } from 'zod';
import type { Cidr } from '../domain/cidr.ts';
import { variables } from './variables.ts';
import type { Variable, VariableName } from './variables.ts';

/** Environment variables as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>;

type Values = { readonly [Name in VariableName]: z.infer<(typeof variables)[Name]['schema']> };

/** The settings under names that carry their units. */
export interface Config {
  readonly databaseUrl: string | undefined;
  readonly dataDir: string;
  readonly host: string;
  readonly port: number;
  /** Without a slash at the end; undefined for http://localhost with the port that was taken. */
  readonly publicUrl: string | undefined;
  readonly adminApiKey: string;
  /** The first seals, all open. */
  readonly tokenEncryptionKeys: readonly string[];
  readonly twitchClientId: string;
  readonly twitchClientSecret: string;
  readonly twitchEventsubUrl: string;
  /** The port of a stand-in; undefined for Twitch itself. */
  readonly mockApiPort: number | undefined;
  readonly keepaliveTimeoutSeconds: number;
  readonly retentionChatHours: number;
  readonly retentionHours: number;
  readonly retentionDeliveriesHours: number;
  readonly webhookAllowedCidrs: readonly Cidr[];
  readonly webhookChallenge: Values['WEBHOOK_CHALLENGE'];
  readonly serviceBotDefault: Values['SERVICE_BOT_DEFAULT'];
  /** Empty: everybody. */
  readonly allowedCidrs: readonly Cidr[];
  readonly trustProxy: readonly Cidr[];
  /** Empty: every origin. */
  readonly allowedOrigins: readonly string[];
  readonly logLevel: Values['LOG_LEVEL'];
  readonly ingestBufferEvents: number;
  readonly maxConnections: number;
  readonly shutdownTimeoutSeconds: number;
}

export interface ConfigProblem {
  readonly variable: VariableName;
  readonly expected: string;
  readonly fix: string;
  /** What was given instead; absent when nothing was, or when it is a secret. */
  readonly got?: string;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] };

const names = Object.keys(variables) as VariableName[];

/** Names of the variables that have no default. */
export const requiredVariables: readonly VariableName[] = names.filter(
  (name) => !('default' in variables[name]),
);

/** Checks every variable and answers the configuration, or all problems in the order of the table. */
export function loadConfig(env: Environment): ConfigResult {
  const problems: ConfigProblem[] = [];
  const values: Record<string, unknown> = {};
  for (const name of names) {
    const variable: Variable<unknown> = variables[name];
    // An empty line in .env means "not set".
    const given = env[name]?.trim() || undefined;
    const result = variable.schema.safeParse(given);
    if (result.success) values[name] = result.data;
    else problems.push(problem(name, variable, given));
  }
  if (problems.length > 0) return { ok: false, problems };
  // Every name was parsed by its own schema just now.
  return { ok: true, config: named(values as Values) };
}

function problem(name: VariableName, variable: Variable<unknown>, given: string | undefined): ConfigProblem {
  const base = { variable: name, expected: variable.expected, fix: variable.fix };
  return given === undefined || variable.secret === true ? base : { ...base, got: given };
}

function named(values: Values): Config {
  return {
    databaseUrl: values.DATABASE_URL,
    dataDir: values.DATA_DIR,
    host: values.HOST,
    port: values.PORT,
    publicUrl: values.PUBLIC_URL,
    adminApiKey: values.ADMIN_API_KEY,
    tokenEncryptionKeys: values.TOKEN_ENCRYPTION_KEY,
    twitchClientId: values.TWITCH_CLIENT_ID,
    twitchClientSecret: values.TWITCH_CLIENT_SECRET,
    twitchEventsubUrl: values.TWITCH_EVENTSUB_URL,
    mockApiPort: values.TWURPLE_MOCK_API_PORT,
    keepaliveTimeoutSeconds: values.KEEPALIVE_TIMEOUT_SECONDS,
    retentionChatHours: values.RETENTION_CHAT_HOURS,
    retentionHours: values.RETENTION_HOURS,
    retentionDeliveriesHours: values.RETENTION_DELIVERIES_HOURS,
    webhookAllowedCidrs: values.WEBHOOK_ALLOWED_CIDRS,
    webhookChallenge: values.WEBHOOK_CHALLENGE,
    serviceBotDefault: values.SERVICE_BOT_DEFAULT,
    allowedCidrs: values.ALLOWED_CIDRS,
    trustProxy: values.TRUST_PROXY,
    allowedOrigins: values.ALLOWED_ORIGINS,
    logLevel: values.LOG_LEVEL,
    ingestBufferEvents: values.INGEST_BUFFER_EVENTS,
    maxConnections: values.MAX_CONNECTIONS,
    shutdownTimeoutSeconds: values.SHUTDOWN_TIMEOUT_SECONDS,
  };
}
