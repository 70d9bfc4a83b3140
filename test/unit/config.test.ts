// The settings: all problems at once, secrets never repeated, the example file in step with the table.
import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig, requiredVariables } from '../../src/config/config.ts';
import { readEnvironment, renderProblems } from '../../src/config/environment.ts';
import { renderConfigTable, renderEnvExample } from '../../src/config/render.ts';
import { keyCommand, variables } from '../../src/config/variables.ts';

const key = Buffer.alloc(32, 7).toString('base64');
const enough = {
  ADMIN_API_KEY: 'a-key-of-16-or-more',
  TOKEN_ENCRYPTION_KEY: key,
  TWITCH_CLIENT_ID: 'client',
  TWITCH_CLIENT_SECRET: 'hush',
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'relay-config-'));
});
afterEach(async () => rm(folder, { recursive: true, force: true }));

test('the required variables suffice and everything else has its default', () => {
  expect(loadConfig(enough)).toEqual({
    ok: true,
    config: {
      databaseUrl: undefined,
      dataDir: './data',
      host: '127.0.0.1',
      port: 8080,
      publicUrl: undefined,
      adminApiKey: 'a-key-of-16-or-more',
      tokenEncryptionKeys: [key],
      twitchClientId: 'client',
      twitchClientSecret: 'hush',
      twitchEventsubUrl: 'wss://eventsub.wss.twitch.tv/ws',
      keepaliveTimeoutSeconds: 10,
      retentionChatHours: 24,
      retentionHours: 168,
      retentionDeliveriesHours: 168,
      webhookAllowedCidrs: [],
      webhookChallenge: 'off',
      serviceBotDefault: 'all',
      allowedCidrs: [],
      trustProxy: [],
      allowedOrigins: [],
      logLevel: 'info',
      ingestBufferEvents: 50_000,
      maxConnections: 5000,
      shutdownTimeoutSeconds: 10,
    },
  });
  expect(requiredVariables).toEqual(Object.keys(enough));
});

test('ranges for webhooks are read, and a wrong one is refused with how to write it', () => {
  const ranges = (value: string) => loadConfig({ ...enough, WEBHOOK_ALLOWED_CIDRS: value });
  const good = ranges(' 127.0.0.0/8, ::1/128 ');
  expect(good.ok && good.config.webhookAllowedCidrs.map(({ text }) => text)).toEqual([
    '127.0.0.0/8',
    '::1/128',
  ]);
  for (const bad of ['localhost', '10.0.0.0/33', '10.0.0.1/8']) {
    const refused = ranges(`192.168.1.0/24,${bad}`);
    expect(refused.ok).toBe(false);
    expect(!refused.ok && refused.problems).toMatchObject([{ variable: 'WEBHOOK_ALLOWED_CIDRS' }]);
  }
});

test('the address for browsers is one that Twitch takes as a redirect', () => {
  const read = (value: string) => {
    const loaded = loadConfig({ ...enough, PUBLIC_URL: value });
    return loaded.ok ? loaded.config.publicUrl : loaded.problems.map(({ variable }) => variable);
  };
  expect(read('https://relay.example.org/')).toBe('https://relay.example.org');
  expect(read('https://example.org/relay')).toBe('https://example.org/relay');
  expect(read('http://localhost:8080')).toBe('http://localhost:8080');
  for (const bad of [
    'http://relay.example.org',
    'http://127.0.0.1:8080',
    'https://user:word@example.org',
    'https://example.org/?a=1',
    'relay.example.org',
  ]) {
    expect(read(bad)).toEqual(['PUBLIC_URL']);
  }
});

test('origins are read as a browser sends them', () => {
  const read = (value: string) => loadConfig({ ...enough, ALLOWED_ORIGINS: value });
  const good = read('https://overlay.example.org, http://localhost:3000');
  expect(good.ok && good.config.allowedOrigins).toEqual([
    'https://overlay.example.org',
    'http://localhost:3000',
  ]);
  for (const bad of ['https://overlay.example.org/', 'overlay.example.org', '*', 'null']) {
    const refused = read(bad);
    expect(!refused.ok && refused.problems).toMatchObject([{ variable: 'ALLOWED_ORIGINS' }]);
  }
});

test('all problems come at once, each with its form and its fix', () => {
  const result = loadConfig({
    PORT: '99999',
    LOG_LEVEL: 'loud',
    KEEPALIVE_TIMEOUT_SECONDS: '9',
    DATABASE_URL: 'mysql://x',
  });
  if (result.ok) throw new Error('accepted');
  expect(result.problems.map(({ variable }) => variable)).toEqual([
    'DATABASE_URL',
    'PORT',
    'ADMIN_API_KEY',
    'TOKEN_ENCRYPTION_KEY',
    'TWITCH_CLIENT_ID',
    'TWITCH_CLIENT_SECRET',
    'KEEPALIVE_TIMEOUT_SECONDS',
    'LOG_LEVEL',
  ]);
  for (const { expected, fix } of result.problems) expect(expected && fix).toBeTruthy();
  expect(result.problems[1]).toMatchObject({ got: '99999', expected: 'a whole number from 0 to 65535' });
  expect(renderProblems(result.problems)).toContain('LOG_LEVEL: expected one of trace');
});

test.each([
  ['ADMIN_API_KEY', 'hunter2'],
  ['TOKEN_ENCRYPTION_KEY', `${key},hunter2`],
  ['DATABASE_URL', 'http://user:hunter2@host/db'],
])('a wrong %s is reported without its value', (variable, value) => {
  const result = loadConfig({ ...enough, [variable]: value });
  if (result.ok) throw new Error('accepted');
  expect(result.problems).toHaveLength(1);
  expect(renderProblems(result.problems)).not.toContain('hunter2');
});

test.each([
  ['PORT', '0', true],
  ['PORT', '80.5', false],
  ['PORT', '-1', false],
  ['PORT', '', true],
  ['PORT', 'http', false],
  ['KEEPALIVE_TIMEOUT_SECONDS', '600', true],
  ['KEEPALIVE_TIMEOUT_SECONDS', '601', false],
  ['TWITCH_EVENTSUB_URL', 'ws://127.0.0.1:1/ws', true],
  ['TWITCH_EVENTSUB_URL', 'https://example.com', false],
  ['DATABASE_URL', '', true],
  ['DATABASE_URL', 'postgresql://u@h/d', true],
  ['TOKEN_ENCRYPTION_KEY', `${'ab'.repeat(32)}, ${key}`, true],
  ['TOKEN_ENCRYPTION_KEY', 'ab'.repeat(31), false],
  ['TOKEN_ENCRYPTION_KEY', ',', false],
  ['ADMIN_API_KEY', 'x'.repeat(15), false],
])('%s=%s is accepted: %s', (variable, value, accepted) => {
  expect(loadConfig({ ...enough, [variable]: value }).ok).toBe(accepted);
});

test('.env fills the gaps of the environment and loses to it', async () => {
  await writeFile(join(folder, '.env'), `# a comment\nPORT=1\nHOST="::1"\nTWITCH_CLIENT_ID=file\n`);
  const result = readEnvironment({ cwd: folder, env: { PORT: '2', HOST: undefined } });
  expect(result).toMatchObject({ ok: true, env: { PORT: '2', HOST: '::1', TWITCH_CLIENT_ID: 'file' } });
});

test('no .env and no environment: exactly that, and what to do', () => {
  const result = readEnvironment({ cwd: folder, env: { TWITCH_CLIENT_ID: 'x' } });
  if (result.ok) throw new Error('accepted');
  expect(result.message).toContain(`There is no ${join(folder, '.env')}`);
  expect(result.message).toContain('ADMIN_API_KEY, TOKEN_ENCRYPTION_KEY, TWITCH_CLIENT_SECRET');
  expect(result.message).toContain('cp .env.example .env');
  expect(result.message).toContain(keyCommand);
  expect(readEnvironment({ cwd: folder, env: enough })).toMatchObject({ ok: true, file: undefined });
});

test('the command that generates keys prints values that are accepted', () => {
  const printed = execFileSync('/bin/sh', ['-c', keyCommand], { encoding: 'utf8' });
  const generated = Object.fromEntries(
    printed
      .trim()
      .split('\n')
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  expect(Object.keys(generated)).toEqual(['ADMIN_API_KEY', 'TOKEN_ENCRYPTION_KEY']);
  expect(loadConfig({ ...enough, ...generated })).toMatchObject({ ok: true });
});

test('.env.example is what the table renders, names every variable and becomes valid when it is filled in', async () => {
  const file = await readFile(new URL('../../.env.example', import.meta.url), 'utf8');
  expect(file).toBe(renderEnvExample());
  for (const name of Object.keys(variables)) {
    expect(file).toMatch(new RegExp(`^(# )?${name}=`, 'm'));
    expect(renderConfigTable()).toContain(`\`${name}\``);
  }
  const filled = file.replaceAll(/^(\w+)=$/gm, (_, name: keyof typeof enough) => `${name}=${enough[name]}`);
  await writeFile(join(folder, '.env'), filled.replaceAll(/^# ([A-Z_]+=)/gm, '$1'));
  const result = readEnvironment({ cwd: folder, env: {} });
  expect(result.ok && loadConfig(result.env)).toEqual(loadConfig(enough));
});

test.each([
  ['lines that end as on Windows', 'PORT=1\r\nHOST="::1"\r\nTWITCH_CLIENT_ID=\r\nDATA_DIR=x\r\n'],
  ['a mark at the beginning', '\uFEFFPORT=1\nHOST=::1\nDATA_DIR=x'],
  ['exports, spaces and quotes', "export PORT=1\n HOST = '::1' # comment\nDATA_DIR=`x`\n"],
])('.env is read with %s', async (_, text) => {
  await writeFile(join(folder, '.env'), text);
  const result = readEnvironment({ cwd: folder, env: {} });
  expect(result).toMatchObject({ ok: true, env: { PORT: '1', HOST: '::1', DATA_DIR: 'x' } });
});

test('a quoted value keeps its #, and an empty one counts as not set', async () => {
  await writeFile(join(folder, '.env'), 'ADMIN_API_KEY="sixteen # or more"\nPORT=\nTWITCH_CLIENT_ID=""\n');
  const result = readEnvironment({
    cwd: folder,
    env: { ...enough, ADMIN_API_KEY: undefined, TWITCH_CLIENT_ID: undefined },
  });
  if (!result.ok) throw new Error(result.message);
  const loaded = loadConfig(result.env);
  if (loaded.ok) throw new Error('accepted');
  expect(result.env['ADMIN_API_KEY']).toBe('sixteen # or more');
  expect(loaded.problems.map(({ variable }) => variable)).toEqual(['TWITCH_CLIENT_ID']);
});

test('a .env that cannot be read is told, not thrown', async () => {
  await mkdir(join(folder, '.env'));
  const result = readEnvironment({ cwd: folder, env: enough });
  expect(result).toMatchObject({ ok: false, message: expect.stringContaining('cannot be read') as string });
});

test('a name in .env that is no setting is told with the nearest one, and harms nothing', async () => {
  // The others are read by the command line, the compose file and the scripts.
  const others = 'RELAY_CLIENT_ID=svc_1\nPOSTGRES_PASSWORD=x\nNGROK_DOMAIN=x.ngrok.app\n';
  await writeFile(join(folder, '.env'), `RETENTION_HOUR=3\nPORT=8081\n${others}`);
  expect(readEnvironment({ cwd: folder, env: enough })).toMatchObject({
    ok: true,
    env: { PORT: '8081' },
    warnings: ['RETENTION_HOUR in .env is not a setting of the relay; did you mean RETENTION_HOURS?'],
  });
});

test('the stand-in has a port, or there is none', () => {
  const withPort = (port: string) => loadConfig({ ...enough, TWURPLE_MOCK_API_PORT: port });
  expect(withPort('')).toMatchObject({ ok: true, config: { mockApiPort: undefined } });
  expect(withPort('9400')).toMatchObject({ ok: true, config: { mockApiPort: 9400 } });
  expect(withPort('99999')).toMatchObject({
    ok: false,
    problems: [{ variable: 'TWURPLE_MOCK_API_PORT', got: '99999' }],
  });
});
