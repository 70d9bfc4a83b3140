// Renders the table of settings for people: .env.example, and the table in the docs. Pure.
import { keyCommand, variables } from './variables.ts';
import type { Variable } from './variables.ts';

const entries = (): [string, Variable<unknown>][] => Object.entries(variables);
const isRequired = (variable: Variable<unknown>) => variable.default === undefined;

/** The whole text of .env.example: what must be filled in first, then everything that has a default, commented out. */
export function renderEnvExample(): string {
  const required = entries().filter(([, variable]) => isRequired(variable));
  const optional = entries().filter(([, variable]) => !isRequired(variable));
  return [
    '# Settings of the relay. Copy this file to .env and fill in the first part. What the environment sets wins over the file.',
    '# A value that holds # or $ goes into single quotes. This prints values for the two keys:',
    `#   ${keyCommand}`,
    '',
    '# --- required ---',
    ...required.map(([name, variable]) => `\n${comment(variable)}\n${name}=`),
    '',
    '# --- optional, with their defaults ---',
    ...optional.map(([name, variable]) => `\n${comment(variable)}\n# ${name}=${variable.default ?? ''}`),
    '',
  ].join('\n');
}

/** The same as a Markdown table. */
export function renderConfigTable(): string {
  const rows = entries().map(([name, variable]) => {
    const fallback = isRequired(variable)
      ? '**required**'
      : variable.default === ''
        ? '(empty)'
        : `\`${variable.default}\``;
    return `| \`${name}\` | ${variable.expected} | ${fallback} | ${variable.prose} |`;
  });
  return ['| variable | value | default | meaning |', '|---|---|---|---|', ...rows, ''].join('\n');
}

const comment = (variable: Variable<unknown>) => `# ${variable.prose}\n# Value: ${variable.expected}.`;
