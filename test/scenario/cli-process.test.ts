// The command line as a real process: pipes that close, Ctrl-C, exit codes, and that the daemon is not loaded for a list.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../support/until.ts';
import { adminKey, worlds, type Service, type World } from '../support/world.ts';

const entry = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const tsx = import.meta.resolve('tsx');
/** Starting takes about a second and a half. */
const timeout = 30_000;

const place = worlds();
let world: World;
let service: Service;
let cwd: string;
beforeAll(async () => {
  await place.open();
  world = await place.create();
  await world.addBot('processbot');
  service = await world.addService('piped');
  cwd = await mkdtemp(join(tmpdir(), 'relay-cli-process-'));
  await writeFile(join(cwd, '.env'), `ADMIN_API_KEY=${adminKey}\nPORT=${new URL(world.url).port}\n`);
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await place.close();
  await rm(cwd, { recursive: true, force: true });
});

function start(args: readonly string[], { shell }: { shell?: string } = {}) {
  const command = ['--import', tsx, entry, ...args];
  const env = {
    PATH: process.env['PATH'] ?? '',
    RELAY_CLIENT_ID: service.clientId,
    RELAY_CLIENT_SECRET: service.clientSecret,
  };
  const child =
    shell === undefined
      ? spawn(process.execPath, command, { cwd, env })
      : spawn('bash', ['--norc', '-c', shell, 'cli', process.execPath, ...command], { cwd, env });
  const said = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk: Buffer) => (said.stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (said.stderr += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, said, ended };
}

it('reads .env of its folder, and answers with one document', { timeout }, async () => {
  const { child, said, ended } = start(['bots', 'list', '--json']);
  child.stdin.end();
  expect(await ended).toBe(0);
  expect(said.stderr).toBe('');
  expect(JSON.parse(said.stdout)).toMatchObject([{ name: 'processbot' }]);
});

it('takes a token from a pipe, and no process list shows it', { timeout }, async () => {
  const user = world.sim.addUser({ login: 'pipedbot' });
  const grant = world.sim.grant({ userId: user.id, scopes: [] });
  const { child, said, ended } = start(['bots', 'import', '--name', 'piped']);
  expect(child.spawnargs.join(' ')).not.toContain(grant.accessToken);
  child.stdin.end(`${grant.accessToken}\n`);
  expect(await ended).toBe(0);
  expect(said.stdout).toMatch(/^name +piped$/m);
  expect(said.stdout + said.stderr).not.toContain(grant.accessToken);
});

it('does not mind a reader that has left', { timeout }, async () => {
  // It is gone long before the first word is written.
  const { said, ended } = start(['env'], { shell: '"$@" | true; echo "${PIPESTATUS[0]}"' });
  expect(await ended).toBe(0);
  expect(said).toEqual({ stdout: '0\n', stderr: '' });
});

it('ends a stream with 130 on Ctrl-C', { timeout }, async () => {
  const { child, said, ended } = start(['events', 'tail', '--consumer', 'process']);
  await until(() => said.stderr.includes('Waiting for events'), { what: 'the stream', timeoutMs: 20_000 });
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  expect(said.stdout).toBe('');
});

it('ends with 2 for a command that is not there', { timeout }, async () => {
  const { said, ended } = start(['bots', 'lits']);
  expect(await ended).toBe(2);
  expect(said.stderr).toContain('eventsub-relay bots list');
});
