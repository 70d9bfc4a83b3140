// A line through points as an SVG: the horizontal axis in powers of ten, the vertical one from zero. Pure.

export interface Curve {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
}

export interface Plot {
  readonly title: string;
  readonly x: string;
  readonly y: string;
  readonly curves: readonly Curve[];
}

const [width, height] = [720, 400];
const frame = { left: 70, right: 170, top: 46, bottom: 56 };
/** Told apart also by those who do not see colours: https://jfly.uni-koeln.de/color/ */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
const roomAbove = 1.15;

export function svgOf({ title, x, y, curves }: Plot): string {
  const points = curves.flatMap((curve) => curve.points);
  const [first, last] = [Math.min(...points.map(([at]) => at)), Math.max(...points.map(([at]) => at))];
  const top = Math.max(...points.map(([, value]) => value)) * roomAbove;
  const across = (value: number) =>
    frame.left +
    ((Math.log10(value) - Math.log10(first)) / Math.max(Math.log10(last / first), 1e-9)) *
      (width - frame.left - frame.right);
  const down = (value: number) => height - frame.bottom - (value / top) * (height - frame.top - frame.bottom);
  const ticks = [...new Set(points.map(([at]) => at))].toSorted((a, b) => a - b);
  const steps = [0, 0.25, 0.5, 0.75, 1].map((share) => (top / roomAbove) * share);
  const line = ({ points: its }: Curve) =>
    its.map(([at, value]) => `${fixed(across(at))},${fixed(down(value))}`).join(' ');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${frame.left}" y="24" font-size="15">${escaped(title)}</text>`,
    ...steps.map(
      (value) =>
        `<line x1="${frame.left}" x2="${width - frame.right}" y1="${fixed(down(value))}" y2="${fixed(down(value))}" stroke="#ddd"/>` +
        `<text x="${frame.left - 8}" y="${fixed(down(value) + 4)}" text-anchor="end">${escaped(shown(value))}</text>`,
    ),
    ...ticks.map(
      (value) =>
        `<text x="${fixed(across(value))}" y="${height - frame.bottom + 18}" text-anchor="middle">${escaped(value.toLocaleString('en'))}</text>`,
    ),
    `<text x="${(frame.left + width - frame.right) / 2}" y="${height - 12}" text-anchor="middle">${escaped(x)}</text>`,
    `<text transform="translate(16 ${(frame.top + height - frame.bottom) / 2}) rotate(-90)" text-anchor="middle">${escaped(y)}</text>`,
    ...curves.flatMap((curve, index) => {
      const colour = colours[index % colours.length] ?? '#000';
      return [
        `<polyline fill="none" stroke="${colour}" stroke-width="2" points="${line(curve)}"/>`,
        ...curve.points.map(
          ([at, value]) =>
            `<circle cx="${fixed(across(at))}" cy="${fixed(down(value))}" r="3" fill="${colour}"/>`,
        ),
        `<text x="${width - frame.right + 14}" y="${frame.top + 8 + index * 20}" fill="${colour}">${escaped(curve.name)}</text>`,
      ];
    }),
    '</svg>',
    '',
  ].join('\n');
}

const fixed = (value: number): string => value.toFixed(1);
const shown = (value: number): string => Number(value.toPrecision(3)).toLocaleString('en');
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
