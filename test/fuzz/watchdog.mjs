// Runs beside the fuzzing in a thread of its own: an input that keeps the main thread from ever coming back can be told by
// nobody else. Says which input of which target it is, and ends the process.
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

const { counter, names, seed, patienceMs } = workerData;
const view = new Int32Array(counter);
const tickMs = 1_000;
let seen = -1;
let stillForMs = 0;

const timer = setInterval(() => {
  const [target, input] = [Atomics.load(view, 0), Atomics.load(view, 1)];
  const mark = target < 0 ? -1 : input;
  stillForMs = mark >= 0 && mark === seen ? stillForMs + tickMs : 0;
  seen = mark;
  if (stillForMs < patienceMs) return;
  const name = names[target];
  writeSync(
    2,
    `HANG in ${name}: input ${input} of seed ${seed} does not come back within ${patienceMs / 1_000} s.\n` +
      `Again, alone: npm run fuzz -- --target ${name} --seed ${seed} --path ${input}\n`,
  );
  process.kill(process.pid, 'SIGKILL');
}, tickMs);
parentPort?.on('message', () => {
  clearInterval(timer);
  parentPort?.close();
});
