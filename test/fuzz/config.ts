// Environments: every one is a configuration or a list of problems, and no problem repeats a secret.
import fc from 'fast-check';
import { loadConfig, requiredVariables, type Config } from '../../src/config/config.ts';
import { variables, type Variable, type VariableName } from '../../src/config/variables.ts';
import { oddText, textAround } from './grammar.ts';
import { defineTarget, takenIf } from './target.ts';

const names = Object.keys(variables) as VariableName[];
const cidrTexts = ['', '127.0.0.0/8,::1/128', '10.0.0.1', 'fd00::/8'];
const key = Buffer.alloc(32, 7);
/** Texts that each variable takes. */
const right: Readonly<Record<VariableName, readonly string[]>> = {
  DATABASE_URL: ['', 'postgres://u:p@127.0.0.1:5432/relay', 'postgresql:///relay?host=/var/run'],
  DATA_DIR: ['./data', '/var/lib/relay'],
  HOST: ['127.0.0.1', '::', 'localhost'],
  PORT: ['0', '8080', '65535'],
  PUBLIC_URL: ['', 'https://relay.example.org/', 'http://localhost:8080', 'https://relay.example.org/a/b//'],
  ADMIN_API_KEY: ['a-key-of-more-than-sixteen', 'ключ-'.repeat(8)],
  TOKEN_ENCRYPTION_KEY: [
    key.toString('base64'),
    key.toString('hex'),
    `${key.toString('hex')}, ${key.toString('base64')}`,
  ],
  TWITCH_CLIENT_ID: ['an-id'],
  TWITCH_CLIENT_SECRET: ['the-secret-of-the-application'],
  TWITCH_EVENTSUB_URL: ['wss://eventsub.wss.twitch.tv/ws', 'ws://127.0.0.1:9/ws'],
  TWURPLE_MOCK_API_PORT: ['', '1', '65535'],
  KEEPALIVE_TIMEOUT_SECONDS: ['10', '600'],
  RETENTION_CHAT_HOURS: ['1', '8760'],
  RETENTION_HOURS: ['1', '8760'],
  RETENTION_DELIVERIES_HOURS: ['1', '8760'],
  WEBHOOK_ALLOWED_CIDRS: cidrTexts,
  WEBHOOK_CHALLENGE: ['off', 'on'],
  SERVICE_BOT_DEFAULT: ['all', 'none'],
  ALLOWED_CIDRS: cidrTexts,
  TRUST_PROXY: cidrTexts,
  ALLOWED_ORIGINS: ['', 'https://overlay.example.org', 'http://localhost:3000, https://b.example.org'],
  LOG_LEVEL: ['trace', 'info', 'silent'],
  INGEST_BUFFER_EVENTS: ['1', '10000000'],
  MAX_CONNECTIONS: ['1', '1000000'],
  SHUTDOWN_TIMEOUT_SECONDS: ['0', '600'],
};

type Env = Readonly<Record<string, string>>;

const texts = (name: VariableName) => fc.constantFrom(...right[name]);
/** All that is needed, some of the rest. */
const valid: fc.Arbitrary<Env> = fc
  .record(Object.fromEntries(names.map((name) => [name, texts(name)])), {
    requiredKeys: [...requiredVariables],
  })
  .map((env) => env as Env);
const wrong: fc.Arbitrary<Env> = fc.dictionary(
  fc.constantFrom(...names, '__proto__', 'constructor'),
  fc.oneof(
    oddText,
    fc.constantFrom(...names).chain((name) => textAround(texts(name))),
  ),
  { maxKeys: 3 },
);

/** Numbers that would make a timer or a loop run wild. */
const bounds: readonly [keyof Config, number, number][] = [
  ['port', 0, 65_535],
  ['keepaliveTimeoutSeconds', 10, 600],
  ['retentionChatHours', 1, 8_760],
  ['retentionHours', 1, 8_760],
  ['retentionDeliveriesHours', 1, 8_760],
  ['ingestBufferEvents', 1, 10_000_000],
  ['maxConnections', 1, 1_000_000],
  ['shutdownTimeoutSeconds', 0, 600],
];

function judge(env: Env): boolean {
  const loaded = loadConfig(env);
  if (!loaded.ok) {
    if (loaded.problems.length === 0) throw new Error('refused without a reason');
    for (const { variable, got } of loaded.problems) {
      const { secret = false }: Variable<unknown> = variables[variable];
      if (secret && got !== undefined) throw new Error(`${variable} is repeated`);
    }
    return false;
  }
  const { config } = loaded;
  for (const [name, least, most] of bounds) {
    const value = config[name];
    if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
      throw new Error(`${name} is ${JSON.stringify(value)}`);
  }
  if (config.adminApiKey.length < 16 || config.tokenEncryptionKeys.length === 0)
    throw new Error('a secret that is none');
  new URL('/oauth/callback', config.publicUrl ?? 'http://localhost');
  new URL(config.twitchEventsubUrl);
  return true;
}

export const config = defineTarget({
  name: 'config',
  what: 'the environment',
  kind: 'pure',
  deadlineMs: 5_000,
  async open() {
    return {
      input: fc
        .tuple(
          valid,
          fc.option(wrong, { nil: {}, freq: 3 }),
          fc.oneof(
            { weight: 9, arbitrary: fc.constant([]) },
            { weight: 1, arbitrary: fc.subarray(names, { maxLength: 1 }) },
          ),
        )
        .map(([env, odd, missing]) =>
          Object.fromEntries(
            Object.entries({ ...env, ...odd }).filter(([name]) => !missing.some((gone) => gone === name)),
          ),
        ),
      run: (env) => takenIf(judge(env)),
    };
  },
});
