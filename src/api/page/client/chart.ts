/** Lines of a chart, as numbers: where each value lies, and what the axis says. */

export interface Line {
  /** An SVG path in a box of `width` by `height`; a gap where nothing was measured. */
  readonly path: string;
  /** The value at the upper edge. */
  readonly top: number;
}

export function line(
  values: readonly (number | null)[],
  width: number,
  height: number,
  topAtLeast = 1,
): Line {
  const highest = Math.max(0, ...values.filter((value) => value !== null));
  const top = roundUp(Math.max(highest, topAtLeast));
  const step = values.length > 1 ? width / (values.length - 1) : 0;
  let path = "";
  let drawing = false;
  values.forEach((value, i) => {
    if (value === null) {
      drawing = false;
      return;
    }
    const x = (i * step).toFixed(1);
    const y = (height - (value / top) * height).toFixed(1);
    path += `${drawing ? "L" : "M"}${x} ${y}`;
    drawing = true;
  });
  return { path, top };
}

/** The next of 1, 2, 5, 10, 20, 50 … */
export function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= value * (1 - 1e-9)) ?? 10;
  return step * power;
}
