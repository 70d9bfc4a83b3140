// The command line as words: help, suggestions, exit codes, and no secret that comes back. Nothing is called here.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { exitCodes } from '../../src/cli/failure.ts';
import { groups, plainCommands } from '../../src/cli/groups.ts';
import { cli } from '../support/cli.ts';

/** Every command as the words that call it. */
export function commandPaths(): string[] {
  const pathsOf = (add: (typeof plainCommands)[number]) => {
    const parent = new Command();
    add(parent, () => Promise.resolve());
    return parent.commands.map((each) => each.name());
  };
  return [
    ...plainCommands.flatMap(pathsOf),
    ...groups.flatMap((group) => group.commands.flatMap(pathsOf).map((name) => `${group.name} ${name}`)),
  ];
}

const noFetch: typeof fetch = () => Promise.reject(new Error('nothing was to be called'));
const words = (line: string) => line.split(' ');

describe('help', () => {
  it('comes without arguments, by word and by option, all the same', async () => {
    const bare = await cli([]);
    expect(bare.code).toBe(0);
    expect(bare.stderr).toBe('');
    expect(await cli(['help'])).toEqual(bare);
    expect(await cli(['--help'])).toEqual(bare);
    for (const { name } of groups) expect(bare.stdout).toContain(`  ${name} `);
    for (const { code, meaning } of Object.values(exitCodes)) {
      expect(bare.stdout).toMatch(new RegExp(`${code} +${meaning}`));
    }
  });

  it('of every command shows an example that the command itself would take', async () => {
    const paths = commandPaths();
    expect(paths.length).toBeGreaterThan(35);
    for (const path of paths) {
      const { code, stdout, stderr } = await cli([...words(path), '--help']);
      expect({ path, code, stderr }).toEqual({ path, code: 0, stderr: '' });
      expect(stdout).toContain('--json');
      const examples = stdout.split(/Examples?:\n/)[1] ?? '';
      expect(examples).toContain(`eventsub-relay ${path}`);
      for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(150);
    }
  });

  it('of a command comes by word too', async () => {
    expect(await cli(words('help bots authorize'))).toEqual(await cli(words('bots authorize --help')));
  });
});

describe('a wrong command line ends with 2 and says what was meant', () => {
  it.each([
    ['serv', /no command "serv".*\n.*eventsub-relay serve"/],
    ['bots lst', /no command "lst" in "bots".*\n.*eventsub-relay bots list"/],
    ['bots list --jsn', /no option --jsn.*\n.*--json/],
    ['bots lst --help', /no command "lst"/],
    ['nonsense --help', /no command "nonsense"/],
    ['bots show', /bot.*\n.*bots show --help/],
    ['bots show a b', /[Tt]oo many.*\n.*bots show --help/],
    ['events list --limit many', /--limit: expected a whole number from 1 to 1000\n.*events list --help/],
    ['events list --limit', /--limit/],
    ['interests create --type x', /--bot: this option is needed/],
    ['deliveries replay', /--endpoint: this option is needed/],
    ['services access x --all --none --admin-key k', /./],
    ['bots add --by magic', /--by: expected browser, device or token/],
    ['console', /needs a terminal/],
    ['console --json', /for people/],
    ['--url nonsense bots list', /http:\/\//],
  ])('%s', async (line, text) => {
    const answer = await cli(words(line), { fetch: noFetch, env: { ADMIN_API_KEY: 'k' } });
    if (line.startsWith('services access')) return expect(answer.code).not.toBe(0);
    expect(answer.stderr).toMatch(text);
    expect(answer).toMatchObject({ code: 2, stdout: '' });
  });

  it('and a group alone shows its help on stderr', async () => {
    const { code, stdout, stderr } = await cli(['bots']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('authorize');
  });
});

describe('a secret in the wrong place', () => {
  it.each([
    'bots list --admin-kye=hunter2secret',
    'bots list --admin-kye hunter2secret',
    'bots import hunter2secret',
    'bots list -khunter2secret',
    'bots import --token-env hunter2secret',
    'bots list --url http://admin:hunter2secret@127.0.0.1:1',
    'bots list --admin-key hunter2secrét',
    'bots list --admin-key hunter2secret --limt 3',
  ])('is not repeated: %s', async (line) => {
    const { code, stdout, stderr } = await cli(words(line), { fetch: noFetch, env: { ADMIN_API_KEY: 'k' } });
    expect(code).toBe(2);
    expect(stdout + stderr).not.toContain('hunter2');
    expect(stderr).not.toBe('');
  });
});

describe('without a key', () => {
  it.each(['bots list', 'services list', 'bots remove x --yes', 'bots import'])(
    '%s ends with 4 and says where to put it',
    async (line) => {
      const answer = await cli(words(line), { fetch: noFetch, stdin: 'token' });
      expect(answer).toMatchObject({ code: 4, stdout: '' });
      expect(answer.stderr).toContain('ADMIN_API_KEY');
    },
  );

  it.each(['interests list', 'events tail', 'endpoints list', 'consumers list', 'deliveries list'])(
    '%s ends with 4 and says what it needs',
    async (line) => {
      const answer = await cli(words(line), {
        fetch: noFetch,
        env: { ADMIN_API_KEY: 'k', RELAY_CLIENT_ID: 'a' },
      });
      expect(answer).toMatchObject({ code: 4, stdout: '' });
      expect(answer.stderr).toContain('RELAY_CLIENT_SECRET');
    },
  );
});

it('prints the version and the settings', async () => {
  expect(await cli(['version'])).toEqual({ code: 0, stdout: '0.0.0-test\n', stderr: '' });
  expect(await cli(['--version'])).toEqual({ code: 0, stdout: '0.0.0-test\n', stderr: '' });
  expect((await cli(['version', '--json'])).stdout).toBe('{"version":"0.0.0-test"}\n');
  expect((await cli(['env'])).stdout).toContain('\nADMIN_API_KEY=\n');
});

it('checks the configuration', async () => {
  const env = {
    ADMIN_API_KEY: 'a-key-of-some-length',
    TOKEN_ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
    TWITCH_CLIENT_ID: 'x',
    TWITCH_CLIENT_SECRET: 'y',
  };
  expect(await cli(['check'], { env })).toEqual({
    code: 0,
    stdout: 'The configuration is complete.\n',
    stderr: '',
  });
  const wrong = await cli(['check'], { env: { ...env, PORT: '99999' } });
  expect(wrong).toMatchObject({ code: 1, stdout: '' });
  expect(wrong.stderr).toContain('PORT');
  const json = await cli(['check', '--json'], { env: { ...env, PORT: '99999' } });
  expect(json).toMatchObject({ code: 1, stderr: '' });
  expect(JSON.parse(json.stdout)).toMatchObject({
    ok: false,
    problems: [{ variable: 'PORT', got: '99999' }],
  });
  expect(await cli(['check'])).toMatchObject({ code: 1, stdout: '' });
});

describe('docs/cli.md', () => {
  const text = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'cli.md'), 'utf8');
  const section = (title: string) => text.split(`\n## ${title}\n`)[1]?.split('\n## ')[0] ?? '';

  it('documents every command, and none that is not there', () => {
    const documented = [...section('Commands').matchAll(/^\| `([^`]+)` /gm)].map((match) => match[1]);
    expect(documented).toEqual(commandPaths());
  });

  it('names every exit code with its meaning', () => {
    const rows = [...section('In scripts').matchAll(/^\| (\d+) +\| (.+?) +\|$/gm)].map(
      ([, code, meaning]) => [Number(code), meaning],
    );
    expect(rows).toEqual(Object.values(exitCodes).map(({ code, meaning }) => [code, meaning]));
  });

  it('names no option that no command has', async () => {
    const helps = await Promise.all(commandPaths().map((path) => cli([...words(path), '--help'])));
    const known = helps.map(({ stdout }) => stdout).join('\n');
    const named = new Set(text.match(/--[a-z][a-z-]+/g));
    expect(named.size).toBeGreaterThan(10);
    expect([...named].filter((option) => option !== '--help' && !known.includes(option))).toEqual([]);
  });
});
