import { HeddleError } from '../../errors.js';
import { type Codec, compactCodec, jsonCodec } from './codec.js';

const codecs = new Map<string, Codec>([
  [compactCodec.name, compactCodec],
  [jsonCodec.name, jsonCodec],
]);

/**
 * Makes a codec of the user's known in this thread, under its name, for the `codec` option of contexts. Call it in the
 * module of each context that uses it, before the context listens or connects.
 *
 * @throws ERR_HEDDLE_INVALID_ARGUMENT when another codec has that name.
 */
export function registerCodec(codec: Codec): void {
  registerCodecAs(codec.name, codec);
}

/** As {@link registerCodec}, under a key of its own: for codecs that belong to one context, where a thread has several. */
export function registerCodecAs(key: string, codec: Codec): void {
  const known = codecs.get(key);
  if (known !== undefined && known !== codec) {
    throw new HeddleError('ERR_HEDDLE_INVALID_ARGUMENT', `codec=${key} is taken: give yours another name`);
  }
  codecs.set(key, codec);
}

/** Forgets what {@link registerCodecAs} entered. */
export function unregisterCodec(key: string): void {
  codecs.delete(key);
}

/** The codec of that name. Throws `ERR_HEDDLE_INVALID_ARGUMENT`. */
export function codecNamed(name: string): Codec {
  const codec = codecs.get(name);
  if (codec !== undefined) return codec;
  throw new HeddleError(
    'ERR_HEDDLE_INVALID_ARGUMENT',
    `there is no codec=${name} in this thread: registerCodec() it in the context's module, or use ${[...codecs.keys()].join(', ')}`,
  );
}
