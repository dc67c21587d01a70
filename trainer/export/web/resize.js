// Resizes a picture as Pillow 13 does, to the bit: the pixels are those that the model was trained on.
//
// Along rows and along columns, each rounded to 8 bits. A pixel is a weighted sum of those below a
// kernel, which is as much wider as the picture becomes smaller.

// By Pillow's number of the filter: the kernel's half width, and its values.
const FILTERS = {
  2: { support: 1, kernel: (x) => Math.max(0, 1 - Math.abs(x)) },
  3: { support: 2, kernel: cubic },
};
const PRECISION = 2 ** 22;

// Return the colours `(H, W, 3)` of an ImageData in another size, by one of Pillow's filters.
export function resized(picture, width, height, filter) {
  const rows = picture.height;
  const colours = new Uint8ClampedArray(3 * picture.width * rows);
  for (let at = 0, to = 0; at < picture.data.length; at += 4)
    for (let channel = 0; channel < 3; channel++) colours[to++] = picture.data[at + channel];
  const across = sumsOf(picture.width, width, FILTERS[filter]);
  const down = sumsOf(rows, height, FILTERS[filter]);
  // Pillow before 13 begins with the rows always; its src/libImaging/Resample.c says when 13 does.
  const lost = rows - height;
  if (lost > 0 && lost > 2 * (picture.width - width))
    return inRows(inColumns(colours, picture.width, down), height, across);
  return inColumns(inRows(colours, rows, across), width, down);
}

// Along an axis that keeps its length every sum is of one pixel, which stays as it is.
function inRows(colours, rows, sums) {
  const out = new Uint8ClampedArray(3 * rows * sums.length);
  const from = colours.length / rows;
  for (let row = 0, to = 0; row < rows; row++)
    for (const { start, weights } of sums)
      for (let channel = 0; channel < 3; channel++)
        out[to++] = summed(colours, row * from + 3 * start + channel, 3, weights);
  return out;
}

function inColumns(colours, width, sums) {
  const row = 3 * width;
  const out = new Uint8ClampedArray(row * sums.length);
  let to = 0;
  for (const { start, weights } of sums)
    for (let place = 0; place < row; place++)
      out[to++] = summed(colours, start * row + place, row, weights);
  return out;
}

function summed(colours, first, step, weights) {
  let sum = PRECISION / 2;
  for (let tap = 0; tap < weights.length; tap++) sum += colours[first + tap * step] * weights[tap];
  return Math.floor(sum / PRECISION);
}

// For each pixel along an axis: the first that it is made of, and the weights as whole numbers.
function sumsOf(from, to, { support, kernel }) {
  const scale = from / to;
  const wide = Math.max(scale, 1);
  return Array.from({ length: to }, (_, at) => {
    const middle = (at + 0.5) * scale;
    const start = Math.max(0, Math.trunc(middle - support * wide + 0.5));
    const end = Math.min(from, Math.trunc(middle + support * wide + 0.5));
    const values = [];
    for (let place = start; place < end; place++)
      values.push(kernel((place - middle + 0.5) * (1 / wide)));
    let total = 0;
    for (const value of values) total += value;
    return { start, weights: values.map((value) => whole((value / total) * PRECISION)) };
  });
}

// Round half away from zero, as C does.
function whole(value) {
  return value < 0 ? Math.trunc(value - 0.5) : Math.trunc(value + 0.5);
}

// Keys' cubic convolution with a = -0.5.
function cubic(x) {
  const a = -0.5;
  const far = Math.abs(x);
  if (far < 1) return ((a + 2) * far - (a + 3)) * far * far + 1;
  if (far < 2) return (((far - 5) * far + 8) * far - 4) * a;
  return 0;
}
