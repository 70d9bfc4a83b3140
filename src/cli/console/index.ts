// The interactive console: what opens and closes the terminal around the menus. A client of the HTTP API like any other.
import type { RunConsole } from '../console-port.ts';
import { exitCodes } from '../failure.ts';
import { Keyboard } from './keyboard.ts';
import { Leave } from './leave.ts';
import { Relay } from './relay.ts';
import { topMenu } from './top.ts';
import { Ui } from './ui.ts';

const showCursor = '\u001b[?25h';

/** Whatever ends it, the terminal is as it was before: echo on, cursor shown, ordinary screen. */
export const runConsole: RunConsole = async (deps) => {
  const { io } = deps;
  if (!io.stdin.isTTY || !io.stdout.isTTY) {
    await io.stderr.write(
      'The console needs a terminal. In scripts use the other commands, with --json: eventsub-relay --help\n',
    );
    return exitCodes.usage.code;
  }
  using keyboard = new Keyboard(io.stdin.stream, io.clock);
  const leaving = new AbortController();
  for (const signal of [io.signal, keyboard.gone]) {
    if (signal.aborted) leaving.abort(new Leave());
    signal.addEventListener('abort', () => leaving.abort(new Leave()), { once: true });
  }
  const ui = new Ui(io, keyboard, leaving.signal);
  try {
    const end = await topMenu({ ui, relay: new Relay(deps, ui) });
    return exitCodes[end].code;
  } catch (error) {
    if (error instanceof Leave) return exitCodes.interrupted.code;
    throw error;
  } finally {
    await io.stdout.write(showCursor);
  }
};
