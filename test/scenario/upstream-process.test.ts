// A SIGTERM while the relay still starts: it ends within the time that a stop may take, whatever the start waits for.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { until } from '../support/until.ts';

const entry = join(import.meta.dirname, '..', '..', 'src', 'main.ts');

it('ends on SIGTERM although its database never answers', { timeout: 30_000 }, async () => {
  const held = new Set<Socket>();
  const database = createServer((socket) => {
    held.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => database.listen(0, '127.0.0.1', resolve));
  const { port } = database.address() as AddressInfo;
  const cwd = await mkdtemp(join(tmpdir(), 'relay-process-'));
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), entry, 'serve'], {
    cwd,
    env: {
      PATH: process.env['PATH'] ?? '',
      ADMIN_API_KEY: 'process-test-admin-key',
      TOKEN_ENCRYPTION_KEY: 'ab'.repeat(32),
      TWITCH_CLIENT_ID: 'clientid',
      TWITCH_CLIENT_SECRET: 'clientsecret',
      DATABASE_URL: `postgres://nobody@127.0.0.1:${port}/nothing`,
      SHUTDOWN_TIMEOUT_SECONDS: '1',
    },
    stdio: 'ignore',
  });
  try {
    const ended = once(child, 'close');
    await until(() => held.size > 0, { what: 'the relay to knock', timeoutMs: 20_000 });
    const askedAt = performance.now();
    child.kill('SIGTERM');
    const [code] = (await ended) as [number | null];
    expect(code).toBe(1);
    expect(performance.now() - askedAt).toBeLessThan(5_000);
  } finally {
    if (child.exitCode === null) child.kill('SIGKILL');
    for (const socket of held) socket.destroy();
    await new Promise((resolve) => database.close(resolve));
    await rm(cwd, { recursive: true, force: true });
  }
});
