import { type ActorContext, defineObjectActor } from 'heddle';
import { imaging } from './gallery-functions.js';

export interface Image {
  readonly name: string;
  readonly width: number;
  readonly pixels: Uint8Array;
}

/** A plain class: images, and which of them look alike. */
export class Gallery {
  readonly #actor: ActorContext;
  readonly #names = new Map<string, string[]>();

  constructor(actor: ActorContext) {
    this.#actor = actor;
  }

  /** Takes images in, and calls back for each. */
  async add(images: readonly Image[], onAdded: (name: string, fingerprint: string) => unknown): Promise<void> {
    await Promise.all(
      images.map(async ({ name, width, pixels }) => {
        const fingerprint = await this.#actor.offload(imaging, 'fingerprint', [pixels, width]);
        this.#names.set(fingerprint, [...(this.#names.get(fingerprint) ?? []), name].sort());
        await onAdded(name, fingerprint);
      }),
    );
  }

  lookAlikes(): string[][] {
    return [...this.#names.values()].filter((names) => names.length > 1);
  }
}

export const GalleryActor = defineObjectActor(import.meta.url, {
  name: 'gallery',
  create: (_args: undefined, actor) => new Gallery(actor),
});
