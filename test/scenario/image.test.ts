// The steps of the Dockerfile by hand, in a scratch folder: what it copies is enough to build and to run, as a user without
// rights, with the production dependencies alone; its health check and its stop work. `npm ci` is replaced by a copy of what
// the lock file names, since the machine that runs the tests has just run it.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { until } from '../support/until.ts';

const root = join(import.meta.dirname, '..', '..');
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8').replaceAll('\\\n', ' ');
const instructions = dockerfile
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line))
  .map((line) => ({ name: line.split(' ', 1)[0] ?? '', rest: line.slice(line.indexOf(' ') + 1).trim() }));
const ignored = readFileSync(join(root, '.dockerignore'), 'utf8').split('\n');
/** What `nobody` is on every system that has it; only root can become it. */
const nobody = 65_534;
const asRoot = process.getuid?.() === 0;

let scratch: string;
let app: string;
let relay: ChildProcess | undefined;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'relay-image-'));
  await chmod(scratch, 0o755);
  app = await build();
}, 120_000);
afterAll(async () => {
  if (relay?.exitCode === null) relay.kill('SIGKILL');
  await rm(scratch, { recursive: true, force: true });
});

/** Runs the stages; answers the folder of the last one. */
async function build(): Promise<string> {
  const stages = new Map<string, string>();
  let folder = '';
  for (const { name, rest } of instructions) {
    if (name === 'FROM') {
      const stage = / AS (\w+)$/i.exec(rest)?.[1] ?? 'last';
      folder = join(scratch, stage);
      stages.set(stage, folder);
      await mkdir(folder);
    } else if (name === 'COPY') await copy(rest, folder, stages);
    else if (name === 'RUN') await run(rest, folder);
  }
  return folder;
}

async function copy(rest: string, folder: string, stages: ReadonlyMap<string, string>): Promise<void> {
  const words = rest.split(/\s+/);
  const stage = words[0]?.startsWith('--from=') ? words.shift()?.slice('--from='.length) : undefined;
  const target = words.pop() ?? '.';
  for (const word of words) {
    if (stage === undefined) expect(ignored).not.toContain(word);
    // In another stage the folder of work is /app.
    const from =
      stage === undefined ? join(root, word) : join(stages.get(stage) ?? '', word.replace(/^\/app\//, ''));
    const isFolder = target.endsWith('/');
    const to = join(folder, target, isFolder ? (word.split('/').at(-1) ?? '') : '');
    await mkdir(dirname(to), { recursive: true });
    const kept = (path: string) => !path.includes(join('src', 'store', 'generated'));
    if (stage === undefined) await cp(from, to, { recursive: true, filter: kept });
    else await copyTree(from, to);
  }
}

async function run(command: string, folder: string): Promise<void> {
  if (command.includes('--omit=dev')) return copyProduction(folder);
  if (command.startsWith('npm ci')) return symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  // The user and the folder of data are made below.
  if (command.includes('chown')) return;
  const { status, stdout, stderr } = spawnSync('sh', ['-c', command], { cwd: folder, encoding: 'utf8' });
  expect(status, `${command}: ${stdout}${stderr}`).toBe(0);
}

/** Every package of the lock file that is not for development. */
async function copyProduction(folder: string): Promise<void> {
  const lock = z
    .object({
      packages: z.record(
        z.string(),
        z.looseObject({ dev: z.boolean().optional(), devOptional: z.boolean().optional() }),
      ),
    })
    .parse(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')));
  // What is nested in a package is only there for that one.
  const wanted = Object.entries(lock.packages)
    .filter(([path, { dev, devOptional }]) => path !== '' && !dev && !devOptional)
    .map(([path]) => path)
    .filter((path) => path.lastIndexOf('node_modules/') === 0 && existsSync(join(root, path)));
  expect(wanted.length).toBeGreaterThan(20);
  for (const path of wanted) await copyTree(join(root, path), join(folder, path));
}

/** Thousands of files, so by links where the system can; nothing writes into them. */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  if (spawnSync('cp', ['-al', from, to]).status === 0) return;
  await rm(to, { recursive: true, force: true });
  await cp(from, to, { recursive: true });
}

const json = (text: string): string[] => z.array(z.string()).parse(JSON.parse(text));
const last = (name: string) => instructions.findLast((each) => each.name === name)?.rest ?? '';

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return String(port);
}

it(
  'runs from what the image has, says that it is healthy, and ends on SIGTERM',
  { timeout: 60_000 },
  async () => {
    expect((await readdir(app)).toSorted()).toEqual(['dist', 'node_modules', 'package.json', 'prisma']);
    for (const tool of ['prisma', 'typescript', 'vitest'])
      expect(existsSync(join(app, 'node_modules', tool))).toBe(false);
    expect(last('USER')).toBe('node');
    const data = join(scratch, 'data');
    await mkdir(data);
    if (asRoot) await chown(data, nobody, nobody);
    const set = Object.fromEntries(
      last('ENV')
        .split(/\s+/)
        .map((pair) => pair.split('=', 2) as [string, string]),
    );
    const env = {
      ...set,
      PATH: process.env['PATH'] ?? '',
      DATA_DIR: data,
      PORT: await freePort(),
      ADMIN_API_KEY: 'an-admin-key-of-the-image',
      TOKEN_ENCRYPTION_KEY: 'ab'.repeat(32),
      TWITCH_CLIENT_ID: 'id',
      TWITCH_CLIENT_SECRET: 'secret',
    };
    const user = asRoot ? { uid: nobody, gid: nobody } : {};
    const health = () => {
      const [command = '', ...args] = json(last('HEALTHCHECK').replace(/^.*?CMD /, ''));
      return spawnSync(command, args, { env, ...user }).status;
    };
    expect(health()).toBe(1);
    const [command = '', ...args] = json(last('CMD'));
    relay = spawn(command, args, { cwd: app, env, ...user, stdio: ['ignore', 'ignore', 'pipe'] });
    let lines = '';
    relay.stderr?.on('data', (chunk: Buffer) => (lines += chunk.toString()));
    const ended = once(relay, 'exit') as Promise<[number | null, string | null]>;
    await until(() => lines.includes('the relay takes requests') || relay?.exitCode !== null, {
      what: 'the relay',
      timeoutMs: 40_000,
    });
    expect(lines).toContain('the relay takes requests');
    expect(health()).toBe(0);
    const askedAt = performance.now();
    relay.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    const grace = Number(
      /stop_grace_period: \$\{RELAY_STOP_GRACE:-(\d+)s\}/.exec(
        readFileSync(join(root, 'docker-compose.yml'), 'utf8'),
      )?.[1],
    );
    expect(performance.now() - askedAt).toBeLessThan(grace * 1_000);
  },
);
