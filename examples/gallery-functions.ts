import { createHash } from 'node:crypto';
import { defineFunctions } from 'heddle';

/** What takes a core for a while: threads of a pool run it. */
export const imaging = defineFunctions(import.meta.url, {
  /** The fingerprint of an image: of what is left of it when it is blurred, so that small changes do not matter. */
  fingerprint(pixels: Uint8Array, width: number): string {
    const height = pixels.length / width;
    const cells = new Float64Array(64);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const cell = Math.floor((y * 8) / height) * 8 + Math.floor((x * 8) / width);
        cells[cell]! += (pixels[y * width + x]! * 64) / pixels.length;
      }
    }
    const coarse = Uint8Array.from(cells, (sum) => Math.round(sum / 32));
    return createHash('sha256').update(coarse).digest('hex').slice(0, 12);
  },
});
