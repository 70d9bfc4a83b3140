// What the process asks of V8 is known to it: an unknown flag is a line on stderr whenever a relay starts.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const program = `
  const { letObjectsDieYoung } = await import('./src/runtime/young-objects.ts');
  letObjectsDieYoung();
  console.log('started');
`;

it('is understood by the V8 that runs here', async () => {
  const args = ['--import', 'tsx', '--input-type=module', '--eval', program];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, args);
  expect({ stdout, stderr }).toEqual({ stdout: 'started\n', stderr: '' });
});
