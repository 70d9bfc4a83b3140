// scripts/deploy.sh for real, with an ssh that runs on this machine and a docker that only remembers: what it does when all
// is well, when something is missing, when the build fails and when the new release never becomes ready.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  chmod,
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const secret = 'canary-secret-of-the-env-file';

/** `ssh -- HOST COMMAND` runs the command here, with nothing of the caller's environment but the fakes. */
const fakeSsh = `#!/usr/bin/env bash
shift; host=$1; shift
printf 'ssh %s %s\\n' "$host" "$*" >>"$FAKES/calls"
[ -e "$FAKES/unreachable" ] && exit 255
case $* in *deploy-remote.sh*) if [ -e "$FAKES/breaks" ]; then bash -c "$*" 2>&1 | head -n 1; exit 255; fi ;; esac
exec bash -c "$*"
`;
/** The real one where there is one, towards this machine; else a plain copy. */
const fakeRsync = `#!/usr/bin/env bash
printf 'rsync %s\\n' "$*" >>"$FAKES/calls"
[ -e "$FAKES/old-rsync" ] && exit 1
case $* in *--version*) exit 0 ;; esac
to=\${!#}; to=\${to#*:}
[ -e "$FAKES/upload-fails" ] && exit 12
if [ -x /usr/bin/rsync ]; then
  args=(); for each in "$@"; do case $each in -e|ssh|*:*) ;; *) args+=("$each") ;; esac; done
  exec /usr/bin/rsync "\${args[@]}" "$to"
fi
tar -cf - --exclude=./.git --exclude=./node_modules --exclude=./data --exclude=.env . | tar -xf - -C "$to"
`;
/** Remembers which release was started last; "answers/TAG" is what the relay of that release says, "ready" by default. */
const fakeDocker = `#!/usr/bin/env bash
tag=$(sed -n 's/^RELAY_TAG=//p' .env 2>/dev/null)
case $* in *"exec -T relay"*) ;; *) printf 'docker %s [%s]\\n' "$*" "$tag" >>"$FAKES/calls" ;; esac
case $* in
  "compose version") [ ! -e "$FAKES/no-compose" ] ;;
  "compose pull"*) [ ! -e "$FAKES/pull-fails" ] ;;
  "compose build"*) [ ! -e "$FAKES/build-fails" ] ;;
  "compose up"*) [ -e "$FAKES/up-fails" ] && exit 1; printf '%s' "$tag" >"$FAKES/running" ;;
  *pg_dump*) [ ! -e "$FAKES/dump-fails" ] && echo dumped ;;
  *"exec -T relay"*/ready*)
    running=$(cat "$FAKES/running"); old=$(cat "$FAKES/old" 2>/dev/null)
    if [ "$running" = "$old" ]; then cat "$FAKES/answer-old" 2>/dev/null || echo ready
    else cat "$FAKES/answer-new" 2>/dev/null || echo ready; fi ;;
  *"exec -T relay"*/health*) true ;;
  *logs*) echo "a line of the relay's log" ;;
esac
`;

let scratch: string;
let tree: string;
let fakes: string;
/** With a space, a quote and a dollar sign, since paths may have them. */
let target: string;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'relay-deploy-'));
  tree = join(scratch, 'a tree');
  fakes = join(scratch, 'fakes');
  target = join(scratch, "on the $erver's disk");
  for (const folder of ['scripts', 'src', 'prisma/migrations/1', '.git', 'node_modules/x', 'data'])
    await mkdir(join(tree, folder), { recursive: true });
  await mkdir(fakes);
  for (const name of ['deploy.sh', 'deploy-remote.sh'])
    await copyFile(join(root, 'scripts', name), join(tree, 'scripts', name));
  for (const name of [
    'Dockerfile',
    'docker-compose.yml',
    'package.json',
    'package-lock.json',
    '.env.example',
  ])
    await copyFile(join(root, name), join(tree, name));
  for (const name of [
    'src/main.ts',
    '.git/config',
    'node_modules/x/y',
    'data/pg',
    'prisma/migrations/1/a.sql',
  ])
    await writeFile(join(tree, name), 'text');
  await writeFile(join(tree, '.env'), `ADMIN_API_KEY=${secret}\nPOSTGRES_PASSWORD=${secret}2\n`);
  for (const [name, text] of Object.entries({ ssh: fakeSsh, rsync: fakeRsync, docker: fakeDocker })) {
    await writeFile(join(fakes, name), text);
    await chmod(join(fakes, name), 0o755);
  }
});
afterEach(async () => rm(scratch, { recursive: true, force: true }));

const fault = (name: string, text = '') => writeFile(join(fakes, name), text);
const calls = () => readFile(join(fakes, 'calls'), 'utf8').catch(() => '');
const current = () => readlink(join(target, 'current')).catch(() => undefined);
const releases = () => readdir(join(target, 'releases')).catch(() => []);

async function deploy(...options: string[]): Promise<{ code: number | null; output: string }> {
  return run(['--skip-check', ...options, 'user@server', target]);
}

function run(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn('bash', [join(tree, 'scripts', 'deploy.sh'), ...args], {
      cwd: scratch,
      env: {
        // The fakes come first: nothing of this test may reach a real server or engine.
        PATH: `${fakes}:${process.env['PATH'] ?? ''}`,
        HOME: scratch,
        FAKES: fakes,
        READY_TIMEOUT_SECONDS: '1',
        DEPLOY_POLL_SECONDS: '0.1',
      },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
    child.once('close', (code) => {
      expect(output).not.toContain(secret);
      resolve({ code, output });
    });
  });
}

/** A first deployment that went well; what it is called is what the next ones go back to. */
async function deployed(): Promise<string> {
  const { code, output } = await deploy();
  expect(output).toContain('is ready');
  expect(code).toBe(0);
  const [name = ''] = await releases();
  await fault('old', name);
  return name;
}

describe('deploy.sh', () => {
  it('uploads, builds, starts, waits and switches; .env is for its owner alone and no secret is seen', async () => {
    const name = await deployed();
    expect(await current()).toBe(`releases/${name}`);
    const folder = join(target, 'releases', name);
    expect((await readdir(folder)).toSorted()).toEqual(
      ['.env', '.env.example', 'Dockerfile', 'docker-compose.yml', 'package-lock.json', 'package.json']
        .concat(['prisma', 'scripts', 'src'])
        .toSorted(),
    );
    expect((await stat(join(folder, '.env'))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(folder, '.env'), 'utf8')).toContain(`${secret}\n`);
    const all = await calls();
    expect(all).toContain('rsync -az --protect-args');
    expect(all).not.toContain(secret);
    const order = ['compose version', 'compose pull db', 'compose build --pull relay', 'compose up -d'];
    const places = order.map((each) => all.indexOf(each));
    expect(places.every((place) => place > 0)).toBe(true);
    expect(places).toEqual(places.toSorted((a, b) => a - b));
  });

  it('sends the tree with tar where rsync is missing or too old', async () => {
    await fault('old-rsync');
    const name = await deployed();
    const names = await readdir(join(target, 'releases', name));
    expect(names).toContain('.env.example');
    expect(names).toContain('src');
    for (const left of ['.git', 'node_modules', 'data']) expect(names).not.toContain(left);
    expect((await stat(join(target, 'releases', name, '.env'))).mode & 0o777).toBe(0o600);
  });

  it('again puts another release beside the first, and keeps three', async () => {
    for (let i = 0; i < 5; i++) expect((await deploy()).code).toBe(0);
    const names = await releases();
    // Within one second their order is not that of their names; the one that runs and the one before it stay anyway.
    expect([3, 4, 5]).toContain(names.length);
    expect(names).toContain((await current())?.replace('releases/', ''));
    const removed = (await calls()).match(/image rm eventsub-relay:/g) ?? [];
    expect(removed.length).toBe(5 - names.length);
  });

  it('leaves what runs alone when the build fails', async () => {
    const name = await deployed();
    await fault('build-fails');
    const { code, output } = await deploy();
    expect(code).toBe(1);
    expect(output).toContain('the build failed; the release before still runs');
    expect(await current()).toBe(`releases/${name}`);
    expect(await readFile(join(fakes, 'running'), 'utf8')).toBe(name);
    expect(await releases()).toEqual([name]);
  });

  it.each([
    ['never becomes ready', 'answer-new', 'waiting log'],
    ['is never there', 'answer-new', ''],
  ])('goes back when the new release %s', async (_what, file, answer) => {
    const name = await deployed();
    await fault(file, answer);
    const { code, output } = await deploy();
    expect(code).toBe(1);
    expect(output).toContain('did not become ready within 1 s');
    expect(output).toContain("a line of the relay's log");
    expect(output).toContain(`release ${name} runs again`);
    expect(await readFile(join(fakes, 'running'), 'utf8')).toBe(name);
    expect(await current()).toBe(`releases/${name}`);
    expect(await releases()).toEqual([name]);
  });

  it('goes back all the same when the connection breaks while it is at it', async () => {
    const name = await deployed();
    await fault('answer-new', 'waiting log');
    await fault('breaks');
    const { code, output } = await deploy();
    expect(code).toBe(255);
    expect(output).toContain('building release');
    expect(output).not.toContain('starting it');
    expect(output).toContain('The server goes on, and goes back by itself');
    expect(await readFile(join(fakes, 'running'), 'utf8')).toBe(name);
    expect(await releases()).toEqual([name]);
  });

  it('does not blame a release for a bot that was out of order before it, but for another one', async () => {
    await deployed();
    await fault('answer-old', 'waiting bot alice|bot bob');
    await fault('answer-new', 'waiting bot bob');
    const worse = await deploy();
    expect(worse.output).toContain('not ready, as before: bot bob');
    expect(worse.code).toBe(0);
    await fault('old', await readFile(join(fakes, 'running'), 'utf8'));
    await fault('answer-old', 'waiting bot bob');
    await fault('answer-new', 'waiting bot bob|bot carol');
    expect((await deploy()).output).toContain('did not become ready');
  });

  it('saves the database before a release that changes it, and says when there is no way back', async () => {
    const name = await deployed();
    await writeFile(join(tree, 'prisma/migrations/1/b.sql'), 'more');
    await fault('dump-fails');
    expect((await deploy()).output).toContain('the database could not be saved; nothing was changed');
    expect(await readFile(join(fakes, 'running'), 'utf8')).toBe(name);
    await rm(join(fakes, 'dump-fails'));
    await fault('answer-new', '');
    await fault('answer-old', '');
    const { code, output } = await deploy();
    expect(code).toBe(3);
    expect(output).toContain('Going back over a migration');
    const [dump = ''] = await readdir(join(target, 'backups'));
    expect(await readFile(join(target, 'backups', dump), 'utf8')).toBe('dumped\n');
    expect((await stat(join(target, 'backups', dump))).mode & 0o077).toBe(0);
  });

  it.each([
    ['nothing', '\r\n'],
    ['empty quotes', '""\n'],
  ])('saves it too when RELAY_DATABASE_URL is there and says %s', async (_what, value) => {
    const env = `ADMIN_API_KEY=${secret}$more\r\nTWURPLE_MOCK_API_PORT=${value}RELAY_DATABASE_URL=${value}`;
    await writeFile(join(tree, '.env'), env);
    const name = await deployed();
    const text = await readFile(join(target, 'releases', name, '.env'), 'utf8');
    expect(text).toBe(`${env.replaceAll('\r', '')}RELAY_TAG=${name}\n`);
    await writeFile(join(tree, 'prisma/migrations/1/b.sql'), 'more');
    const { code, output } = await deploy();
    expect(code).toBe(0);
    expect(output).toContain('behind the dollar sign in ADMIN_API_KEY;');
    expect(output).not.toContain('a server of your own');
    expect(await readdir(join(target, 'backups'))).toHaveLength(1);
  });

  it('leaves a first release that does not come up for people to look at', async () => {
    await fault('answer-new', 'waiting database');
    const { code, output } = await deploy();
    expect(code).toBe(1);
    expect(output).toContain('there is no release before it');
    expect(await releases()).toHaveLength(1);
    expect(await current()).toBeUndefined();
  });

  it('without .env uses the one on the server, or says how to make it and leaves nothing behind', async () => {
    await rm(join(tree, '.env'));
    const none = await deploy();
    expect(none.code).toBe(1);
    expect(none.output).toContain('cp .env.example .env');
    expect(await releases()).toEqual([]);
    await writeFile(join(tree, '.env'), `ADMIN_API_KEY=${secret}\n`);
    await deployed();
    await rm(join(tree, '.env'));
    const { code } = await deploy();
    expect(code).toBe(0);
    const newest = await readFile(join(fakes, 'running'), 'utf8');
    const text = await readFile(join(target, 'releases', newest, '.env'), 'utf8');
    expect(text).toBe(`ADMIN_API_KEY=${secret}\nRELAY_TAG=${newest}\n`);
    expect((await stat(join(target, 'releases', newest, '.env'))).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['unreachable', 'could not be reached', 0],
    ['no-compose', 'has no Docker with the compose plugin', 0],
    ['upload-fails', 'the upload failed', 0],
  ])('stops at %s before anything is changed', async (name, said, left) => {
    await fault(name);
    const { code, output } = await deploy();
    expect(code).toBe(1);
    expect(output).toContain(said);
    expect(await releases()).toHaveLength(left);
    expect(await calls()).not.toContain('compose up');
  });

  it('only says what it would do with --dry-run', async () => {
    const { code, output } = await deploy('--dry-run');
    expect(code).toBe(0);
    expect(output).toContain('would build, start and wait');
    expect(await calls()).toBe('');
    expect(existsSync(target)).toBe(false);
  });

  it('refuses what is no path or no whole tree', async () => {
    for (const path of ['relative', '/', '', '/a\nb']) {
      expect((await run(['--skip-check', 'user@server', path])).code).toBe(1);
    }
    expect((await run(['--skip-check', 'user@server'])).code).toBe(2);
    expect((await run(['--unknown', 'user@server', '/x'])).code).toBe(2);
    await rm(join(tree, 'Dockerfile'));
    expect((await deploy()).output).toContain('Dockerfile is missing');
    expect(await calls()).toBe('');
  });

  it('has .env checked by the relay itself', { timeout: 30_000 }, async () => {
    await rm(join(tree, 'node_modules'), { recursive: true });
    await rm(join(tree, 'src'), { recursive: true });
    await symlink(join(root, 'node_modules'), join(tree, 'node_modules'));
    await symlink(join(root, 'src'), join(tree, 'src'));
    const { code, output } = await run(['user@server', target]);
    expect(code).toBe(1);
    expect(output).toContain('TWITCH_CLIENT_ID');
    expect(output).toContain('.env is not complete; nothing was changed');
    expect(await calls()).toBe('');
  });
});
