// What has to agree between the files that run the relay: compose, the unit, the image, the settings, the package.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { variables } from '../../src/config/variables.ts';

const root = join(import.meta.dirname, '..', '..');
const read = (name: string) => readFileSync(join(root, name), 'utf8');
const shutdownSeconds = Number(variables.SHUTDOWN_TIMEOUT_SECONDS.default);
/** `  name:` and everything that is indented further. */
const service = (name: string) =>
  new RegExp(`^  ${name}:\\n((?: {3,}.*\\n|\\n)+)`, 'm').exec(read('docker-compose.yml'))?.[1] ?? '';

describe('docker-compose.yml', () => {
  it('needs no .env: every variable has a default, and the file of settings may be missing', () => {
    const used = [...read('docker-compose.yml').matchAll(/\$\{(\w+)([^}]?)/g)];
    expect(used.length).toBeGreaterThan(5);
    expect(used.filter(([, , next]) => next !== ':').map(([, name]) => name)).toEqual([]);
    expect(service('relay')).toMatch(/env_file:\n\s+- path: \.env\n\s+required: false/);
    expect(service('db')).not.toContain('env_file');
  });

  it('shows nothing to the network, and gives the relay no right that it does not need', () => {
    expect(service('db')).toContain("'127.0.0.1:");
    expect(service('relay')).toContain('host_ip: ${RELAY_BIND:-127.0.0.1}');
    for (const line of ['read_only: true', 'no-new-privileges:true', '- ALL', 'condition: service_healthy'])
      expect(service('relay')).toContain(line);
  });

  it('waits longer for a stop than the relay takes, as the unit does', () => {
    const grace = Number(/RELAY_STOP_GRACE:-(\d+)s/.exec(service('relay'))?.[1]);
    const unit = Number(/TimeoutStopSec=(\d+)/.exec(read('scripts/eventsub-relay.service'))?.[1]);
    expect(grace).toBeGreaterThan(shutdownSeconds);
    expect(unit).toBeGreaterThan(shutdownSeconds);
  });
});

it('.dockerignore keeps secrets, data and history out of the image', () => {
  const ignored = read('.dockerignore').split('\n');
  for (const each of ['.env', '.env.*', '.git', 'data', 'node_modules', 'backups'])
    expect(ignored).toContain(each);
});

it('the package has every file that the relay reads at run time', { timeout: 30_000 }, () => {
  const packed = z
    .array(z.object({ files: z.array(z.object({ path: z.string() })) }))
    .parse(
      JSON.parse(
        execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
          cwd: root,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        }),
      ),
    )
    .flatMap(({ files }) => files.map(({ path }) => path));
  const migrations = readdirSync(join(root, 'prisma', 'migrations'), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(sql|toml)$/.test(name))
    .map((name) => `prisma/migrations/${name}`);
  expect(migrations.length).toBeGreaterThan(1);
  for (const path of ['package.json', '.env.example', 'prisma/schema.prisma', ...migrations])
    expect(packed).toContain(path);
  expect(packed.filter((path) => /(^|\/)\.env$|^(src|test|data|scripts)\//.test(path))).toEqual([]);
  // Whatever else src reads beside itself is named here; a new one has to be in "files" and in the image.
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter(
    (name) => /\.(ts|mjs)$/.test(name) && !name.includes('generated'),
  );
  const outside = sources.flatMap((name) =>
    [...read(join('src', name)).matchAll(/new URL\('((?:\.\.\/)+[^']+)', import\.meta\.url\)/g)].map(
      (match) => match[1]?.replace(/^(\.\.\/)+/, ''),
    ),
  );
  expect([...new Set(outside)]).toEqual(['package.json']);
});
