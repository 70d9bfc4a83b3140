// The demo as a stranger runs it: its own process, nothing configured. Its last line must be the truth, and its exit code
// must say so.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** A cold start of the embedded database on a busy machine, and the re-subscription after a drop. */
const withinMs = 90_000;

function demo(...argv: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const { PATH, HOME, TMPDIR } = process.env;
  const child = spawn(process.execPath, ['--import', 'tsx', 'scripts/demo.ts', ...argv], {
    cwd: root,
    env: { PATH, HOME, TMPDIR },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: withinMs,
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

describe('npm run demo', () => {
  it(
    'ends by itself, with a reconnect, a declared gap and a receiver that was down; nothing lost, nothing twice',
    { timeout: withinMs },
    async () => {
      const { code, stdout, stderr } = await demo('--for', '2s', '--json');
      expect(code, stderr).toBe(0);
      const result: unknown = JSON.parse(stdout.trim().split('\n').at(-1) ?? '');
      expect(result).toMatchObject({ lost: 0, duplicated: 0 });
      const { sent, logged, delivered, webhook_attempts, gaps, reconnects } = result as {
        sent: number;
        logged: number;
        delivered: Record<string, number>;
        webhook_attempts: number;
        gaps: number;
        reconnects: number;
      };
      expect(sent).toBeGreaterThan(4);
      expect(delivered).toEqual({ 'relay.v1': logged, plain: logged, webhook: logged });
      // Something was refused, and came again.
      expect(webhook_attempts).toBeGreaterThan(logged);
      for (const shown of [
        'the receiver is down',
        'with 503, attempt 1',
        'the receiver is back',
        'attempt 2',
      ])
        expect(stderr).toContain(shown);
      expect(logged).toBeLessThanOrEqual(sent);
      expect(gaps).toBeGreaterThanOrEqual(1);
      expect(reconnects).toBeGreaterThanOrEqual(2);
      expect(stderr).toContain('relay.gap');
      // Not a terminal: no colours.
      expect(stderr).not.toContain('\u001B[');
    },
  );

  it('explains itself, and refuses what it does not know with 2', { timeout: withinMs }, async () => {
    const help = await demo('--help');
    expect([help.code, help.stderr]).toEqual([0, '']);
    expect(help.stdout).toContain('--for TIME');
    const wrong = await demo('--for', 'soon');
    expect([wrong.code, wrong.stdout]).toEqual([2, '']);
    expect(wrong.stderr).toContain('--for: expected');
  });
});
