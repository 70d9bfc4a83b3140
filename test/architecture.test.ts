// The house rules that a machine can check: who may import whom, how long a file may be, who may touch the process.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';

const src = join(import.meta.dirname, '..', 'src');
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.startsWith(join('store', 'generated')))
  .map((path) => ({ path: path.replaceAll('\\', '/'), text: readFileSync(join(src, path), 'utf8') }));

/** What each room may import of ours, beside itself. A path narrower than a room names the port alone. */
const pure = ['domain', 'protocol', 'runtime'];
const law: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  protocol: [],
  runtime: [],
  client: ['protocol'],
  cli: ['client', 'protocol', 'config', 'runtime', 'domain/edit-distance.ts'],
  config: pure,
  door: pure,
  upstream: pure,
  ingest: [...pure, 'upstream/port.ts', 'log/port.ts'],
  log: [...pure, 'delivery/port.ts'],
  fanout: [...pure, 'log', 'delivery/port.ts'],
  delivery: [...pure, 'log/port.ts'],
  store: pure,
  http: [...pure, 'delivery/port.ts', 'log/port.ts'],
  observability: pure,
  'daemon.ts': ['*'],
  wiring: ['*'],
  'main.ts': ['*'],
};

interface Import {
  readonly from: string;
  readonly to: string;
}

function importsOf(file: { path: string; text: string }): Import[] {
  const found = file.text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g);
  return [...found].map((match) => ({
    from: file.path,
    to: relative(src, join(src, file.path, '..', match[1] ?? '')).replaceAll('\\', '/'),
  }));
}

const withoutComments = (text: string) => text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');

const room = (path: string) => path.split('/')[0] ?? path;

function breaks({ from, to }: Import): boolean {
  const allowed = law[room(from)];
  if (!allowed) return true;
  if (room(from) === room(to) || allowed.includes('*')) return false;
  return !allowed.some((place) => to === place || to.startsWith(`${place}/`));
}

describe('the import law', () => {
  it('knows every room', () => {
    expect([...new Set(files.map((file) => room(file.path)))].filter((name) => !(name in law))).toEqual([]);
  });

  it('is kept by every file', () => {
    expect(files.flatMap(importsOf).filter(breaks)).toEqual([]);
  });

  it('can fail', () => {
    expect(breaks({ from: 'upstream/twitch/fleet.ts', to: 'delivery/gateway/gateway.ts' })).toBe(true);
    expect(breaks({ from: 'client/index.ts', to: 'domain/cursor.ts' })).toBe(true);
    expect(importsOf({ path: 'a/b.ts', text: "import { x } from '../c/d.ts';" })).toEqual([
      { from: 'a/b.ts', to: 'c/d.ts' },
    ]);
  });
});

describe('every file of src', () => {
  it('stays under 500 lines', () => {
    expect(files.filter((file) => file.text.split('\n').length > 500).map((file) => file.path)).toEqual([]);
  });

  it('opens with what it owns', () => {
    expect(files.filter((file) => !/^(#!.*\n)?\/\//.test(file.text)).map((file) => file.path)).toEqual([]);
  });

  it('knows neither `any` nor the non-null assertion', () => {
    const loose = /(:|\bas|<)\s*any\b|[\w)\]]!(\.|\[|;|,|\))/;
    const guilty = files.flatMap((file) =>
      file.text
        .split('\n')
        .filter(
          (line) =>
            !/^\s*(\/\/|\*|\/\*)/.test(line) && loose.test(line.replaceAll(/'[^']*'|`[^`]*`|\/[^/]+\//g, '')),
        )
        .map((line) => `${file.path}: ${line.trim()}`),
    );
    expect(guilty).toEqual([]);
  });

  it('leaves the process to the entry', () => {
    const allowed = new Set(['main.ts']);
    const guilty = files.filter(
      (file) =>
        !allowed.has(file.path) &&
        /\bprocess\.(env|exit|argv|on|once|stdout|stdin|kill)\b/.test(withoutComments(file.text)),
    );
    expect(guilty.map((file) => file.path)).toEqual([]);
  });

  it('takes its time from the clock', () => {
    const guilty = files.filter(
      (file) =>
        file.path !== 'runtime/clock.ts' &&
        !file.path.startsWith('client/') &&
        /\bDate\.now\(/.test(file.text),
    );
    expect(guilty.map((file) => file.path)).toEqual([]);
  });
});
