// scripts/dev.sh with a docker, an ngrok and an npm that only remember: what it starts for which .env, and that it ends
// what it started.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { until } from '../support/until.ts';

const script = join(import.meta.dirname, '..', '..', 'scripts', 'dev.sh');
const lasting = (name: string, text: string) => `#!/usr/bin/env bash
trap 'echo "${name} ended" >>"$FAKES/calls"; exit 0' TERM
echo "${text}" >>"$FAKES/calls"
while :; do sleep 0.05; done
`;

let scratch: string;
let child: ChildProcess | undefined;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'relay-dev-'));
  await mkdir(join(scratch, 'tree/scripts'), { recursive: true });
  await mkdir(join(scratch, 'tree/node_modules'));
  await copyFile(script, join(scratch, 'tree/scripts/dev.sh'));
  const fakes = {
    docker: '#!/usr/bin/env bash\necho "docker $*" >>"$FAKES/calls"\n',
    ngrok: lasting('ngrok', 'ngrok $*'),
    npm: lasting('npm', 'npm $* PORT=$PORT PUBLIC_URL=$PUBLIC_URL TRUST_PROXY=$TRUST_PROXY'),
  };
  for (const [name, text] of Object.entries(fakes)) {
    await writeFile(join(scratch, name), text);
    await chmod(join(scratch, name), 0o755);
  }
});
afterEach(async () => {
  if (child?.exitCode === null) child.kill('SIGKILL');
  await rm(scratch, { recursive: true, force: true });
});

const calls = () => readFile(join(scratch, 'calls'), 'utf8').catch(() => '');
const settings = (text: string) => writeFile(join(scratch, 'tree/.env'), text);

function dev(...args: string[]) {
  child = spawn('bash', [join(scratch, 'tree/scripts/dev.sh'), ...args], {
    env: { PATH: `${scratch}:${process.env['PATH'] ?? ''}`, FAKES: scratch },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = once(child, 'close').then(([code]) => code as number | null);
  return { child, ended, output: () => output };
}

it('says how to make .env when there is none', async () => {
  const { ended, output } = dev();
  expect(await ended).toBe(1);
  expect(output()).toContain('cp .env.example .env');
  expect(await calls()).toBe('');
});

it('starts the database, the tunnel and the relay, and ends the last two', async () => {
  await settings(
    'DATABASE_URL=postgres://relay:relay@127.0.0.1:5432/relay\nNGROK_DOMAIN=me.example.app\nPORT=1\n',
  );
  const { child: running, ended } = dev('-Port', '9123');
  await until(async () => (await calls()).includes('npm run'), { what: 'the relay' });
  const all = await calls();
  expect(all).toContain('docker compose up -d --wait db\n');
  await until(async () => (await calls()).includes('ngrok http --domain=me.example.app'), { what: 'ngrok' });
  expect(all).toContain('PORT=9123 PUBLIC_URL=https://me.example.app TRUST_PROXY=127.0.0.1/32,::1/128');
  running.kill('SIGTERM');
  expect(await ended).toBe(143);
  expect(await calls()).toContain('npm ended');
  expect(await calls()).toContain('ngrok ended');
});

it('starts neither without a reason', async () => {
  await settings('PORT=9124\n');
  const { child: running, ended, output } = dev();
  await until(async () => (await calls()).includes('npm run'), { what: 'the relay' });
  expect(output()).toContain('the embedded database is used');
  expect(await calls()).not.toMatch(/docker|ngrok/);
  expect(await calls()).toContain('PORT=9124 PUBLIC_URL= TRUST_PROXY=');
  running.kill('SIGTERM');
  expect(await ended).toBe(143);
});

it('refuses what it does not know', async () => {
  await settings('');
  expect(await dev('--what').ended).toBe(2);
  expect(await dev('-Port', 'x').ended).toBe(1);
});
