// What the parser finds wrong, in our own words. An argument may be a secret in the wrong place, so values are never
// repeated. Pure.
import type { Command, CommanderError } from 'commander';
import { nearestNames } from '../domain/edit-distance.ts';
import { pathOf, seeHelp } from './command.ts';
import type { Failure } from './failure.ts';

/** Undefined: nothing is wrong, the help or the version was asked for. An empty message: the help has said it all. */
export function explainParserError(error: CommanderError, program: Command): Failure | undefined {
  if (error.exitCode === 0) return helpOfNothing(error, program);
  if (error.code === 'commander.help') return usage('', undefined);
  const text = error.message.replace(/^error: /u, '');
  if (error.code === 'commander.unknownCommand') return unknownCommand(text, program);
  if (error.code === 'commander.unknownOption') return unknownOption(text, program);
  const [line = text] = text.split('\n');
  return usage(
    `${line.charAt(0).toUpperCase()}${line.slice(1)}${line.endsWith('.') ? '' : '.'}`,
    seeHelp(deepest(program)),
  );
}

/** `bots lst --help`: the parser shows the help of the group and keeps quiet about the word. */
function helpOfNothing(error: CommanderError, program: Command): Failure | undefined {
  const group = deepest(program);
  const [word] = group.args;
  if (error.code !== 'commander.helpDisplayed' || group.commands.length === 0) return undefined;
  return word === undefined || word.startsWith('-') ? undefined : unknownCommand(`'${word}'`, program);
}

const usage = (message: string, fix: string | undefined): Failure => ({ exit: 'usage', message, fix });

function unknownCommand(text: string, program: Command): Failure {
  const given = /'(?<name>.*?)'/su.exec(text)?.groups?.['name'] ?? '';
  const group = groupOf(program);
  const inGroup = group === program ? '' : ` in "${group.name()}"`;
  const [nearest] = nearestNames(
    given,
    group.commands.map((each) => each.name()),
    1,
  );
  const hint = nearest === undefined ? '' : `Did you mean "${pathOf(group)} ${nearest}"? `;
  return usage(`There is no command "${given.slice(0, 40)}"${inGroup}.`, `${hint}${seeHelp(group)}`);
}

/** The group whose command was looked for. */
function groupOf(program: Command): Command {
  const [first] = program.args;
  return program.commands.find((each) => each.name() === first && each.commands.length > 0) ?? program;
}

function unknownOption(text: string, program: Command): Failure {
  const given = /'(?<flag>--?[A-Za-z][\w-]*)/u.exec(text)?.groups?.['flag'] ?? '-';
  // Behind a single dash the value may follow without a space.
  const flag = given.startsWith('--') ? given : given.slice(0, 2);
  const command = deepest(program);
  const known = [command, ...ancestorsOf(command)].flatMap((each) =>
    each
      .createHelp()
      .visibleOptions(each)
      .flatMap(({ long }) => long ?? []),
  );
  const [nearest] = flag.startsWith('--') ? nearestNames(flag, known, 1) : [];
  const hint = nearest === undefined ? '' : `Did you mean ${nearest}? `;
  return usage(`There is no option ${flag}.`, `${hint}${seeHelp(command)}`);
}

/** The command that the words so far lead to. */
function deepest(command: Command): Command {
  const next = command.commands.find((each) => each.name() === command.args[0]);
  return next ? deepest(next) : command;
}

const ancestorsOf = (command: Command): Command[] =>
  command.parent ? [command.parent, ...ancestorsOf(command.parent)] : [];
