/**
 * A plain class in another thread, used by comlink's proxy: it has images fingerprinted by a pool of threads, and calls back as
 * it goes.
 */
import { createSystem, proxy, releaseProxy, wrap } from 'heddle';
import { GalleryActor, type Image } from './gallery-object.js';

/** An image of stripes; `noise` changes it a little. */
function paint(name: string, stripe: number, noise: number): Image {
  const width = 256;
  const pixels = new Uint8Array(width * width);
  for (let at = 0; at < pixels.length; at++) {
    const isLight = Math.floor((at % width) / stripe) % 2 === 0;
    pixels[at] = (isLight ? 208 : 48) + ((at * 7919) % 3 === 0 ? noise : 0);
  }
  return { name, width, pixels };
}

const system = await createSystem({ contexts: 1, offload: { maximumThreads: 2 } });
const gallery = wrap(await system.spawn(GalleryActor), { timeoutMs: 60_000 });

let added = 0;
const images = [paint('barcode', 32, 0), paint('fence', 64, 0), paint('photo of the barcode', 32, 2)];
await gallery.add(
  images,
  proxy(() => {
    added++;
  }),
);
console.log(`${added} images were added`);
for (const names of await gallery.lookAlikes()) console.log(`these look alike: ${names.join(', ')}`);
gallery[releaseProxy]();
await system.close();
