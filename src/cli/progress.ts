// A line on stderr that says that something is still going on: only for a terminal, and only for what takes a while.
import type { CliIo } from './io.ts';
import { fit, styleFor } from './style.ts';

/** What is quicker needs no line. */
const showAfterMs = 1_000;
const frameMs = 100;
const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const clearLine = '\r\u001b[K';

export interface Progress {
  /** Other words from now on. */
  say(text: string): void;
}

/** Runs `work`; while it lasts a spinner with the time that has passed is drawn. The line is gone when this settles. */
export async function withProgress<T>(
  io: Pick<CliIo, 'stderr' | 'env' | 'clock'>,
  text: string,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  let said = text;
  const progress: Progress = {
    say: (next) => {
      said = next;
    },
  };
  if (!io.stderr.isTTY || io.env['TERM'] === 'dumb') return work(progress);
  const { stderr, clock } = io;
  const style = styleFor(stderr, io.env);
  const startedAt = clock.now();
  let shown = false;
  const draw = () => {
    const passedMs = clock.now() - startedAt;
    const frame = frames[Math.floor(passedMs / frameMs) % frames.length] ?? '';
    const line = fit(`${said} (${Math.floor(passedMs / 1_000)} s)`, (stderr.columns ?? 80) - 3);
    void stderr.write(`${clearLine}${style.cyan(frame)} ${line}`);
    shown = true;
    cancel = clock.after(frameMs, draw);
  };
  let cancel = clock.after(showAfterMs, draw);
  try {
    return await work(progress);
  } finally {
    cancel();
    if (shown) await stderr.write(clearLine);
  }
}
