// Lints what no TypeScript tool looks at: the Dockerfile, the compose file, the shell scripts, the systemd unit. Tools
// that an npm install cannot bring are used where they are there; REQUIRE_SHELLCHECK=1 insists on shellcheck.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const failures = [];
const skipped = [];

/** Runs it and keeps what it said if it failed. */
function run(what, command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0)
    failures.push(`${what}:\n${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`.trimEnd());
}

const has = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;
const binOf = (name, bin) => join(dirname(require.resolve(`${name}/package.json`)), bin);

function dockerfile() {
  const { validate } = require('dockerfile-utils');
  const problems = validate(readFileSync(join(root, 'Dockerfile'), 'utf8'), {});
  for (const { message, range } of problems)
    failures.push(
      `Dockerfile:${range.start.line + 1}: ${typeof message === 'string' ? message : message.value}`,
    );
}

function compose() {
  const { bin } = require('dclint/package.json');
  // The order of keys is for the reader; what is built has to carry a tag, since a deployment goes back to the one before.
  const rules = ['service-keys-order', 'no-build-and-image'].flatMap((rule) => ['--disable-rule', rule]);
  const path = typeof bin === 'string' ? bin : bin.dclint;
  run('docker-compose.yml', process.execPath, [
    binOf('dclint', path),
    ...rules,
    '--max-warnings',
    '0',
    'docker-compose.yml',
  ]);
}

function shell() {
  const scripts = readdirSync(join(root, 'scripts'))
    .filter((name) => name.endsWith('.sh'))
    .map((name) => join('scripts', name));
  const all = [...scripts, join('.ci', 'run')];
  for (const script of all) run(script, 'bash', ['-n', script]);
  if (has('shellcheck')) {
    run('shellcheck', 'shellcheck', ['--severity=style', ...scripts]);
    run('shellcheck', 'shellcheck', ['--severity=warning', join('.ci', 'run')]);
  } else if (process.env.REQUIRE_SHELLCHECK === '1') failures.push('shellcheck is not installed');
  else skipped.push('shellcheck');
}

/** A copy, in which the folder of the installed relay is one that exists here. */
function unit() {
  if (!has('systemd-analyze')) return skipped.push('systemd-analyze');
  const name = 'eventsub-relay.service';
  const folder = mkdtempSync(join(tmpdir(), 'relay-unit-'));
  const text = readFileSync(join(root, 'scripts', name), 'utf8');
  writeFileSync(join(folder, name), text.replaceAll('/opt/eventsub-relay', root));
  run(name, 'systemd-analyze', ['verify', '--recursive-errors=no', '--man=no', join(folder, name)]);
  rmSync(folder, { recursive: true });
}

for (const check of [dockerfile, compose, shell, unit]) check();
for (const failure of failures) console.error(failure);
const note = skipped.length > 0 ? ` Not installed, so not used: ${skipped.join(', ')}.` : '';
console.log(
  failures.length > 0
    ? `${failures.length} checks failed.${note}`
    : `Scripts and images are in order.${note}`,
);
process.exitCode = failures.length > 0 ? 1 : 0;
