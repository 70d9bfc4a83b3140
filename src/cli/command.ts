// One command as a table entry: its words, its options as a shape, what it runs. The parser is commander; what a command
// gets from it has been checked by zod.
import type { Command } from 'commander';
import { z } from 'zod';
import { usageError } from './failure.ts';
import type { Session } from './session.ts';

/** `['--limit <n>', 'how many']` */
export type Flag = readonly [flags: string, description: string];

export interface CommandSpec<Options> {
  /** With its arguments: `show <bot>`. */
  readonly usage: string;
  readonly summary: string;
  /** What the arguments are, by name. */
  readonly args?: Readonly<Record<string, string>>;
  readonly flags?: readonly Flag[];
  /** Of the options by their names in camel case. */
  readonly options: z.ZodType<Options>;
  /** Whole command lines. */
  readonly examples: readonly string[];
  /** Needs no relay: where it is, and with what key, is not looked at. */
  readonly local?: boolean;
  /** More that a reader of the help should know. */
  readonly notes?: string | undefined;
  /** Answers the exit code if it is not 0. */
  run(
    session: Session,
    given: { readonly args: readonly string[]; readonly options: Options },
  ): Promise<number | void>;
}

/** A command whose options no longer show in its type; made by `command`. */
export type AnyCommand = (parent: Command, start: Start) => void;
/** Makes the session of a command and keeps its exit code. */
export type Start = (
  started: { readonly command: Command; readonly local: boolean },
  run: (session: Session) => Promise<number | void>,
) => Promise<void>;

export const none = z.object({});

export const command =
  <Options>(spec: CommandSpec<Options>): AnyCommand =>
  (parent, start) => {
    const made = parent.command(spec.usage).summary(spec.summary).description(describe(spec));
    for (const [name, text] of Object.entries(spec.args ?? {})) {
      const argument = made.registeredArguments.find((each) => each.name() === name);
      if (!argument) throw new Error(`${spec.usage}: there is no argument ${name}`);
      argument.description = text;
    }
    for (const [flags, text] of spec.flags ?? []) made.option(flags, text);
    made.addHelpText('after', exampleText(spec.examples));
    made.action(async () => {
      await start({ command: made, local: spec.local ?? false }, (session) =>
        spec.run(session, { args: made.args, options: optionsOf(made, spec.options) }),
      );
    });
  };

const describe = (spec: { readonly summary: string; readonly notes?: string | undefined }) =>
  spec.notes === undefined ? `${spec.summary}.` : `${spec.summary}.\n\n${spec.notes}`;

const exampleText = (examples: readonly string[]) =>
  `\n${examples.length === 1 ? 'Example' : 'Examples'}:\n${examples.map((each) => `  ${each}`).join('\n')}\n`;

function optionsOf<Options>(made: Command, schema: z.ZodType<Options>): Options {
  const parsed = schema.safeParse(made.opts());
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const option = made.options.find((each) => each.attributeName() === issue?.path[0]);
  const where = option?.long === undefined ? '' : `${option.long}: `;
  throw usageError(`${where}${issue?.message ?? 'not valid'}`, seeHelp(made));
}

/** How to get the help of this command. */
export const seeHelp = (made: Command): string => `See: ${pathOf(made)} --help`;

export function pathOf(made: Command): string {
  return made.parent ? `${pathOf(made.parent)} ${made.name()}` : made.name();
}

/** An option that has no default. */
export const needed = z.string('this option is needed');

const wholeNumber = (min: number, max: number) => `expected a whole number from ${min} to ${max}`;

/** An option that is a whole number. */
export const whole = (min: number, max: number): z.ZodType<number> =>
  z
    .string()
    .regex(/^\d{1,9}$/u, wholeNumber(min, max))
    .transform(Number)
    .pipe(z.number().min(min, wholeNumber(min, max)).max(max, wholeNumber(min, max)));

/** An option that lists things, separated by commas. */
export const commaList: z.ZodType<string[]> = z.string().transform((text) =>
  text
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== ''),
);
